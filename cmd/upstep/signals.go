package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// grace is what a command has for ending after a signal. A read of a pipe that nobody
	// writes to, or a write to one that nobody reads, does not end by itself.
	grace = 2 * time.Second
	// ansibleGrace leaves time, within grace, to end what of Ansible ignores a signal.
	ansibleGrace = time.Second
)

// untilSignal executes a command line; SIGINT, SIGTERM and SIGHUP cancel it, and a second
// one ends the process at once.
func (a *app) untilSignal(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), heeded()...)
	defer stop()
	done := make(chan int, 1)
	go func() { done <- a.execute(ctx, args) }()
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	stop() // from here on signals do what they do by default
	select {
	case code := <-done:
		return code
	case <-time.After(grace):
	}
	// Standard error may be what holds the command.
	time.AfterFunc(grace/4, func() { os.Exit(exitStopped) })
	return a.interrupted()
}

// heeded gives the signals that cancel a command: not those that whoever started upstep
// wants ignored, as nohup does.
func heeded() []os.Signal {
	var out []os.Signal
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			out = append(out, s)
		}
	}
	return out
}

func (a *app) interrupted() int {
	a.errorf("upstep: interrupted\n")
	return exitStopped
}
