// Command bench measures reading, planning and emitting against bare parsing of the
// same bytes, in whole processes, and prints ratios. Absolute times are for orientation
// only: machines are noisy. TMPDIR says where the files are made: in memory (/dev/shm) the
// cost of the file system stays out.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/upstep/upstep/bench/load"
	"github.com/upstep/upstep/source"
)

func main() {
	upstep := flag.String("upstep", "bin/upstep", "the binary to measure")
	rounds := flag.Int("rounds", 5, "paired runs of each size")
	parse := flag.String("parse", "", "only parse this folder (what the benchmark compares with)")
	most := flag.Int("most", 10000, "largest number of services")
	lab := flag.String("lab", "", "inventory of hosts h1 to h5: measure runs on them instead")
	many := flag.Int("many", 0, "measure upstep's own processor time in a run on this many hosts, all of them this machine, instead")
	tht := flag.String("tripleo", "", "measure importing, planning and emitting the templates of the releases in this folder instead")
	address := flag.String("load", "", "send requests to this address until a signal comes, and tell what became of them, instead")
	rate := flag.Int("rate", 40, "with -load: requests a second")
	flag.Parse()
	var err error
	switch {
	case *address != "":
		err = send(*address, *rate)
	case *tht != "":
		err = measureImport(*upstep, *tht, *rounds)
	case *many > 0:
		err = measureMany(*upstep, *many)
	case *lab != "":
		err = measureRuns(*upstep, *lab, *rounds)
	case *parse != "":
		err = parseAll(*parse)
	default:
		err = measure(*upstep, *rounds, *most)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// send keeps up a load until SIGINT or SIGTERM.
func send(address string, rate int) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l := load.Start(address, rate)
	<-ctx.Done()
	counts := l.Stop()
	fmt.Println(counts)
	if counts.Lost > 0 {
		return errors.New("not every request was answered with 200")
	}
	return nil
}

// parseAll reads every file into YAML nodes and does nothing with them.
func parseAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return source.Bare(text)
	})
}

// sample is one finished process.
type sample struct {
	wall, cpu float64 // seconds
	memory    float64 // MiB at its largest
}

func run(dir string, args ...string) (sample, error) {
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // the benchmark's own commands, run to their end
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	wall := time.Since(start).Seconds()
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, errors.New("no resource usage on this system")
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return sample{wall, cpu.Seconds(), float64(usage.Maxrss) / 1024}, nil
}

func measure(upstep string, rounds, most int) error {
	upstep, err := filepath.Abs(upstep)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	top, err := os.MkdirTemp("", "upstep-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(top) }()
	fmt.Printf("read + plan + emit against bare parsing to YAML nodes (20 tasks and up to 5 dependencies a service, 10 roles)\n\n")
	fmt.Printf("layered: 20 layers spread over the roles; chain: one role after the other; clusters: of 100, each on a role;\nzigzag: a chain that changes the role at every service, so that each is a unit and a file of its own: the worst case\n\n")
	fmt.Printf("%-10s %9s %7s %11s %11s %9s %9s %9s\n", "shape", "services", "MB", "parse s", "upstep s", "wall", "cpu", "MiB")
	for _, shape := range []string{"layered", "chain", "clusters", "zigzag"} {
		var wall1000 float64
		for _, n := range []int{100, 1000, 10000} {
			if n > most || shape == "zigzag" && n > 1000 {
				continue
			}
			dir := filepath.Join(top, fmt.Sprintf("%s-%d", shape, n))
			size, err := generate(dir, shape, n)
			if err != nil {
				return err
			}
			p, u, err := pairs(self, upstep, dir, max(1, rounds*1000/max(1000, n)))
			if err != nil {
				return err
			}
			fmt.Printf("%-10s %9d %7.1f %11.3f %11.3f %9.2f %9.2f %9.0f\n", shape, n, float64(size)/1e6,
				median(p, wall), median(u, wall), ratio(u, p, wall), ratio(u, p, cpu), median(u, memory))
			switch n {
			case 1000:
				wall1000 = median(u, wall)
				if shape == "layered" {
					if err := listTasks(dir, median(u, cpu)); err != nil {
						return err
					}
				}
			case 10000:
				fmt.Printf("%-10s growth exponent from 1,000 to 10,000: %.2f\n", "", math.Log10(median(u, wall)/wall1000))
			}
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// pairs measures the two commands in turn.
func pairs(self, upstep, dir string, rounds int) (parse, emit []sample, err error) {
	for i := range rounds + 1 {
		if err := os.RemoveAll(filepath.Join(dir, "playbooks")); err != nil {
			return nil, nil, err
		}
		syscall.Sync() // removing the former tree is not the command's work
		p, err := run(dir, self, "-parse", "services")
		if err != nil {
			return nil, nil, err
		}
		u, err := run(dir, upstep, "emit")
		if err != nil {
			return nil, nil, err
		}
		if i > 0 || rounds == 1 { // the first is a warm-up
			parse, emit = append(parse, p), append(emit, u)
		}
		if rounds == 1 {
			break
		}
	}
	return parse, emit, nil
}

// listTasks compares with what Ansible takes to only list the emitted tasks.
func listTasks(dir string, ours float64) error {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		fmt.Printf("%-10s ansible-playbook is not installed: not compared\n", "")
		return nil
	}
	args := []string{"ansible-playbook", "-i", "localhost,", "--list-tasks"}
	for r := range 10 {
		args = append(args, fmt.Sprintf("playbooks/R%d.yml", r))
	}
	s, err := run(dir, args...)
	if err != nil {
		return err
	}
	fmt.Printf("%-10s ansible-playbook --list-tasks on the roles' playbooks: %.1f s of CPU, %.0f times as long\n", "", s.cpu, s.cpu/ours)
	return nil
}

func wall(s sample) float64   { return s.wall }
func cpu(s sample) float64    { return s.cpu }
func memory(s sample) float64 { return s.memory }

func median(list []sample, of func(sample) float64) float64 {
	var v []float64
	for _, s := range list {
		v = append(v, of(s))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// ratio is the median of the ratios pair by pair.
func ratio(a, b []sample, of func(sample) float64) float64 {
	var v []float64
	for i := range a {
		v = append(v, of(a[i])/of(b[i]))
	}
	slices.Sort(v)
	return v[len(v)/2]
}
