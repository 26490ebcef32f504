package planner_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// planOf plans a project of nothing but upgrade.yaml.
func planOf(t *testing.T, text string) *planner.Plan {
	t.Helper()
	sink := &source.Sink{}
	plan, problems := planner.Build(planner.World{
		Settings: settings.Load(fstest.MapFS{"upgrade.yaml": {Data: []byte(text)}}, "upgrade.yaml", "", nil, sink),
	})
	require.Empty(t, sink.Problems())
	require.Zero(t, problems.Count(source.Error), problems)
	return plan
}

// notesOn gives what a plan's reader should know of a subject.
func notesOn(p *planner.Plan, subject string) []string {
	var out []string
	for _, n := range p.Notes {
		if n.Subject == subject {
			out = append(out, n.Text)
		}
	}
	return out
}

// again writes a plan and reads it.
func again(t *testing.T, p *planner.Plan) (*planner.Plan, string) {
	t.Helper()
	doc, err := p.Encode()
	require.NoError(t, err)
	back, err := planner.Decode(doc)
	require.NoError(t, err)
	return back, string(doc)
}

func TestAPlanCarriesWindows(t *testing.T) {
	p := planOf(t, `window: [{from: "22:00", to: "05:00", days: [sat, fri], timezone: Europe/Berlin}, {days: [sun]}]`)
	back, doc := again(t, p)
	require.Equal(t, p.Windows, back.Windows)
	require.Contains(t, doc, ` "windows": [
  {"from":"22:00","to":"05:00","days":["fri","sat"],"timezone":"Europe/Berlin"},
  {"from":"00:00","to":"24:00","days":["sun"]}
 ],
`)
	require.Equal(t, []string{
		"fri, sat 22:00 to 05:00 Europe/Berlin: it stands in the plan, the playbooks do not act on it",
		"sun 00:00 to 24:00: it stands in the plan, the playbooks do not act on it",
	}, notesOn(p, "window"))
}

func TestAPlanCarriesNotificationsWithoutSecrets(t *testing.T) {
	p := planOf(t, `notify:
  - name: operators
    on: failure
    receivers:
      - webhook: {url: {env: CHAT_URL}, headers: {Authorization: {file: token, prefix: "Bearer "}}, template: "{{ .Text }}"}
      - command: [page]
`)
	back, doc := again(t, p)
	require.Contains(t, doc, ` "notify": [
  {"name":"operators","on":["run.failure","stage.failure","batch.failure"],"receivers":[`+
		`{"webhook":{"url":{"env":"CHAT_URL"},"method":"POST","headers":[{"name":"Authorization","value":{"file":"token","prefix":"Bearer "}}]},`+
		`"template":"{{ .Text }}","timeout":"10s","tries":1,"delay":"5s"},{"command":["page"],"timeout":"10s","tries":1,"delay":"5s"}]}
 ],
`)
	_, second := again(t, back)
	require.Equal(t, doc, second)
	require.Equal(t, []string{"operators on run.failure, stage.failure, batch.failure: it stands in the plan, the playbooks do not act on it"}, notesOn(p, "notify"))
}
