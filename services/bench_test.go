package services_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// manyServices writes a set of n services of twenty tasks, of the kinds that real ones have.
func manyServices(n int) []source.File {
	out := make([]source.File, n)
	for i := range out {
		var b strings.Builder
		fmt.Fprintf(&b, "service_name: service_%05d\ndescription: Service number %d.\ndepends_on:\n  - keystone\n  - {service: mariadb, until: upgraded}\nupgrade_tasks:\n", i, i)
		for t := range 20 {
			switch step := t * 6 / 20; t % 4 {
			case 0:
				fmt.Fprintf(&b, "  - name: Set option %d of service %d\n    ansible.builtin.lineinfile:\n      path: /etc/service_%05d/service.conf\n      regexp: ^option_%d=\n      line: option_%d={{ value }}\n      mode: '0640'\n    notify: Restart service %d\n    tags: step%d\n", t, i, i, t, t, i, step)
			case 1:
				fmt.Fprintf(&b, "  - name: Stop service %d, part %d\n    ansible.builtin.service:\n      name: service-%05d-%d\n      state: stopped\n      enabled: \"{{ enabled_%d | default(true) }}\"\n    when: service_%05d_installed is defined\n    tags: step%d\n", i, t, i, t, t, i, step)
			case 2:
				fmt.Fprintf(&b, "  # what the release notes ask for\n  - name: Migrate part %d of service %d\n    ansible.builtin.command: service-manage --config /etc/service_%05d/service.conf migrate --part %d\n    run_once: true\n    changed_when: true\n    tags: [step%d, validation]\n", t, i, i, t, step)
			default:
				fmt.Fprintf(&b, "  - name: Check part %d of service %d\n    ansible.builtin.shell: |\n      set -o pipefail\n      service-manage status --part %d | grep -q ready\n    register: service_%05d_part_%d\n    changed_when: false\n    retries: 3\n    tags: step%d\n", t, i, t, i, t, step)
			}
		}
		b.WriteString("handlers:\n" + fmt.Sprintf("  - name: Restart service %d\n    ansible.builtin.service: {name: service-%05d, state: restarted}\n", i, i))
		out[i] = source.File{Name: fmt.Sprintf("services/service_%05d.yaml", i), Text: []byte(b.String())}
	}
	return out
}

// BenchmarkParse compares reading services with bare parsing of the same bytes into
// nodes, turn by turn so that what else runs on the machine hits both alike. Its goal
// is a ratio of 1.15.
func BenchmarkParse(b *testing.B) {
	files := manyServices(1000)
	size := 0
	for _, f := range files {
		size += len(f.Text)
	}
	b.SetBytes(int64(size))
	var ratios []float64
	var bareTotal, fullTotal time.Duration
	for b.Loop() {
		var bare, full time.Duration
		for at := 0; at < len(files); at += 50 {
			start := time.Now()
			for _, f := range files[at : at+50] {
				require.NoError(b, source.Bare(f.Text))
			}
			middle := time.Now()
			for _, f := range files[at : at+50] {
				var sink source.Sink
				_, ok := services.Parse(f, &sink)
				require.True(b, ok)
			}
			bare, full = bare+middle.Sub(start), full+time.Since(middle)
		}
		ratios = append(ratios, float64(full)/float64(bare))
		bareTotal, fullTotal = bareTotal+bare, fullTotal+full
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(bareTotal.Milliseconds())/float64(b.N), "bare-ms")
	b.ReportMetric(float64(fullTotal.Milliseconds())/float64(b.N), "full-ms")
}

// TestServicesHoldOnToTheirTextOnly: neither nodes nor files stay in memory.
func TestServicesHoldOnToTheirTextOnly(t *testing.T) {
	files := manyServices(300)
	size := 0
	for _, f := range files {
		size += len(f.Text)
	}
	before := heap()
	var all []services.Service
	for i := range files {
		var sink source.Sink
		s, ok := services.Parse(files[i], &sink)
		require.True(t, ok, sink.Problems())
		all = append(all, s)
		files[i].Text = nil // what the parser was given is nobody else's
	}
	kept := heap() - before + size // the files themselves are gone
	t.Logf("%d bytes of files, %d kept", size, kept)
	require.Less(t, kept, 3*size)
	runtime.KeepAlive(all)
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) //nolint:gosec // far below the limit
}
