package notify

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

func TestTemplatesSeeEveryField(t *testing.T) {
	text := ""
	for _, of := range []string{"Message", "Version", "Failure"} {
		require.NotEmpty(t, fields(of))
	}
	for _, f := range fields("Message") {
		text += "{{ ." + f + " }}|"
	}
	text += "{{ range .Versions }}{{ .Service }} {{ .From }}-{{ .To }}{{ end }}{{ range .Failures }}{{ .Task }}{{ end }}{{ short 1 .Hosts }}{{ .Hosts | join \"+\" }}{{ json .Hosts }}{{ .Duration }}"
	for _, event := range settings.Happenings() {
		out, err := render(text, Sample(event, noon()))
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(out, `webapp 1.9-1.10Start the web server (services/web.yaml:17)web2 and 1 moreweb2+web3["web2","web3"]1m23s`), out)
		for part := range strings.SplitSeq(strings.TrimSuffix(out, "|"), "|") {
			require.NotEmpty(t, part, "the sample has a value in every field")
		}
	}
	_, err := render(`{{ range .Hosts }}{{ range $.Hosts }}{{ printf "%0900000d" 1 }}{{ end }}{{ end }}`, Sample("run.start", noon()))
	require.ErrorContains(t, err, "it gives more than 1 MiB")
	_, err = render(`{{ index .Hosts 5 }}`, failed())
	require.Error(t, err)
}

func TestEveryProblemOfATemplate(t *testing.T) {
	for text, want := range map[string]string{
		"notify: {command: [a], template: '{{ .Projct }}'}":                                           "1:34: template of the notification: there is no field .Projct\n  hint: did you mean .Project?",
		"notify: {command: {argv: [a], template: '{{ .X }}'}}":                                        "1:41: template of the command: there is no field .X\n  hint: fields are .Event, .Test, .Time, .Project, .Run, .By, .Stage, .Role, .Unit, .Batch, .Hosts, .Count, .Versions, .State, .Seconds, .Try, .Tries, .FailedHosts, .Failures, .Message, .OutOfTraffic, .Next, .Subject, .Text, .Duration",
		"notify: {webhook: {url: 'http://a', template: '{{ range .Failures }}{{ .Hsts }}{{ end }}'}}": "1:47: template of the webhook: there is no field .Hsts\n  hint: did you mean .Hosts?",
		"notify: {command: [a], template: '{{ project }}'}":                                           "1:34: template of the notification: there is no function project\n  hint: a field of the message begins with a dot and a capital: {{ .Project }}",
		"notify: {command: [a], template: '{{ .Project }'}":                                           "1:34: template of the notification: unexpected \"}\" in operand\n  hint: a field is written {{ .Project }}, a function {{ json .Text }}",
		"notify:\n  command: [a]\n  template: |\n    one\n    {{ .Two }}\n":                           "3:13: template of the notification: there is no field .Two (line 2 of it)\n  hint: fields are .Event",
		"notify: {mail: {server: m, from: a@b, to: c@d, subject: '{{ .Subjct }}'}}":                   "1:57: subject of the mail: there is no field .Subjct\n  hint: did you mean .Subject?",
		"notify: {command: [a], template: '{{ index .Hosts 9 }}'}":                                    "1:34: template of the notification: error calling index: index out of range: 9\n  hint: a field is written {{ .Project }}, a function {{ json .Text }}",
	} {
		sink := &source.Sink{}
		s := settings.Load(fstest.MapFS{"upgrade.yaml": {Data: []byte(text)}}, "upgrade.yaml", "", nil, sink)
		Check(s.Notify, sink)
		require.Len(t, sink.Problems(), 1, text)
		have := sink.Problems().Error()
		require.True(t, strings.HasPrefix(have, "upgrade.yaml:"+want), "%s\nis not\n%s", have, want)
	}
}

// TestATemplateThatFailsIsNoted has one that only a real message breaks.
func TestATemplateThatFailsIsNoted(t *testing.T) {
	n := &notes{}
	s := New(t.Context(), read(t, "notify: {on: run, command: [sh], template: '{{ index .Hosts 1 }}'}"), options(t, n))
	s.Send(failed())
	s.Close(t.Context())
	require.Len(t, n.all(), 1)
	require.Contains(t, n.all()[0], "index out of range: 1; nobody was told of run.failure")
}

func TestSubjectsOfAllThatHappens(t *testing.T) {
	for event, want := range map[string]string{
		"run.start":     "shop: run 7 begins",
		"run.wait":      "shop: run 7 waits",
		"run.success":   "shop: run 7 is done",
		"run.failure":   "shop: run 7 failed",
		"run.stop":      "shop: run 7 stopped",
		"stage.start":   "shop: stage live begins",
		"stage.success": "shop: stage live is done",
		"stage.failure": "shop: stage live failed",
		"batch.start":   "shop: batch 2 of Web begins: w1, w2, w3, w4, w5 and 1 more",
		"batch.success": "shop: batch 2 of Web is done: w1, w2, w3, w4, w5 and 1 more",
		"batch.failure": "shop: batch 2 of Web failed: w1, w2, w3, w4, w5 and 1 more",
	} {
		m := Message{Event: event, Project: "shop", Run: "7", Stage: "live", Role: "Web", Batch: 2, Hosts: []string{"w1", "w2", "w3", "w4", "w5", "w6"}}
		require.Equal(t, want, m.worded().Subject)
		m.Seconds, m.Message = 90, "why\nand more"
		require.True(t, strings.HasSuffix(m.worded().Subject, " after 1m30s: why"), m.worded().Subject)
	}
	require.Len(t, settings.Happenings(), 11)
}
