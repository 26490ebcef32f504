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
	// patientGrace is what a run has for ending processes and writing down how they ended.
	patientGrace = 30 * time.Second
)

// untilSignal executes a command line; SIGINT, SIGTERM and SIGHUP cancel it, and a second
// one ends the process at once. A command that takes patience is told of the first, is
// cancelled by the second, and is left alone only by the third.
func (a *app) untilSignal(args []string) int {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, heeded()...)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan int, 1)
	go func() { done <- a.execute(ctx, args) }()
	for {
		select {
		case code := <-done:
			return code
		case sig := <-signals:
			if p := a.patience.Swap(nil); p != nil {
				p.stop <- "stopped by " + sig.String()
				continue
			}
		}
		break
	}
	cancel()
	signal.Stop(signals) // from here on signals do what they do by default
	wait := grace
	if a.patient.Load() {
		wait = patientGrace
	}
	select {
	case code := <-done:
		return code
	case <-time.After(wait):
	}
	// Standard error may be what holds the command.
	time.AfterFunc(grace/4, func() { os.Exit(exitStopped) })
	return a.interrupted()
}

// patience is what a command takes that finishes what is at work after a signal.
type patience struct{ stop chan<- string }

// takePatience has the first signal sent to stop instead of cancelling the command.
func (a *app) takePatience(stop chan<- string) {
	a.patient.Store(true)
	a.patience.Store(&patience{stop})
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
