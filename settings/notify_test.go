package settings_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/settings"
)

func TestNotificationsAreRead(t *testing.T) {
	s, problems := load(t, `inputs: {cluster: {default: blue}}
notify:
  - name: operators
    on: [failure, run.stop]
    template: |
      {{ .Project }}
    timeout: 20s
    receivers:
      - webhook:
          url: {env: CHAT_URL}
          method: PUT
          headers: {Authorization: {file: secrets/chat, prefix: "Bearer "}, X-Cluster: "{{ cluster }}"}
          template: '{"text": {{ json .Text }}}'
          tries: 3
          delay: 1s
      - command: [/usr/local/bin/page, "{{ cluster }}"]
  - mail:
      server: mail.example.org
      from: upstep@example.org
      to: Operators <ops@example.org>
      subject: '{{ .Event }}'
      user: upstep
      password: {env: MAIL_PASSWORD}
  - {webhook: "https://{{ cluster }}.example.org/hook", on: run}
  - {webhook: "http://[::1]:8080/", on: [start, batch]}
  - command: {argv: [logger], timeout: 2, template: x}
`)
	require.Empty(t, problems)
	require.Len(t, s.Notify, 5)
	first := s.Notify[0]
	require.Equal(t, "operators", first.Name)
	require.Equal(t, []string{"run.failure", "run.stop", "stage.failure", "batch.failure"}, first.On)
	require.Equal(t, "{{ .Project }}\n", first.Template.Text)
	require.Equal(t, 5, first.Template.Pos.Line)
	require.Equal(t, settings.Receiver{
		Webhook: &settings.Webhook{URL: settings.Secret{Env: "CHAT_URL"}, Method: "PUT", Headers: []settings.Header{
			{Name: "Authorization", Value: settings.Secret{File: "secrets/chat", Prefix: "Bearer "}},
			{Name: "X-Cluster", Value: settings.Secret{Text: "blue"}},
		}},
		Template: first.Receivers[0].Template, Timeout: settings.Duration(20 * time.Second), Tries: 3, Delay: settings.Duration(time.Second),
	}, first.Receivers[0])
	require.Contains(t, first.Receivers[0].Template.Text, "{{ json .Text }}")
	require.Equal(t, []string{"/usr/local/bin/page", "blue"}, first.Receivers[1].Command)
	require.Equal(t, settings.Duration(20*time.Second), first.Receivers[1].Timeout)

	letter := s.Notify[1]
	require.Equal(t, "mail", letter.Name)
	require.Equal(t, []string{"run.start", "run.wait", "run.success", "run.failure", "run.stop"}, letter.On)
	require.Equal(t, "mail.example.org:587", letter.Receivers[0].Mail.Server)
	require.Equal(t, settings.TLSAuto, letter.Receivers[0].Mail.TLS)
	require.Equal(t, []string{"Operators <ops@example.org>"}, letter.Receivers[0].Mail.To)
	require.Equal(t, settings.Duration(10*time.Second), letter.Receivers[0].Timeout)
	require.Equal(t, 1, letter.Receivers[0].Tries)

	require.Equal(t, "webhook", s.Notify[2].Name)
	require.Equal(t, "https://blue.example.org/hook", s.Notify[2].Receivers[0].Webhook.URL.Text)
	require.Equal(t, "webhook-2", s.Notify[3].Name)
	require.Equal(t, []string{"run.start", "stage.start", "batch.start", "batch.success", "batch.failure"}, s.Notify[3].On)
	require.Equal(t, []string{"logger"}, s.Notify[4].Receivers[0].Command)
	require.Equal(t, settings.Duration(2*time.Second), s.Notify[4].Receivers[0].Timeout)

	text, err := json.Marshal(s.Notify)
	require.NoError(t, err)
	var back []settings.Notification
	require.NoError(t, json.Unmarshal(text, &back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(again))
	require.NotContains(t, string(text), "Pos")

	alone, problems := load(t, "notify: {webhook: https://example.org}")
	require.Empty(t, problems)
	require.Len(t, alone.Notify, 1)
}

func TestServersOfMail(t *testing.T) {
	for text, want := range map[string]string{
		"server: a.example.org":                                     "a.example.org:25",
		"server: a.example.org, tls: implicit":                      "a.example.org:465",
		"server: a.example.org, user: u, password: {env: P}":        "a.example.org:587",
		"server: 'a.example.org:2525'":                              "a.example.org:2525",
		"server: '[::1]:2525'":                                      "[::1]:2525",
		"server: '::1'":                                             "[::1]:25",
		"server: localhost, tls: off, user: u, password: {file: p}": "localhost:587",
		"server: localhost, to: ['a@example.org', 'b <c@d.org>']":   "localhost:25",
	} {
		if !strings.Contains(text, "to:") {
			text += ", to: a@example.org"
		}
		s, problems := load(t, "notify: {mail: {from: u@example.org, "+text+"}}")
		require.Empty(t, problems, text)
		require.Equal(t, want, s.Notify[0].Receivers[0].Mail.Server, text)
	}
}

func TestEveryProblemOfNotify(t *testing.T) {
	const (
		how       = "\n  hint: write notify: [{on: [run, batch.failure], webhook: https://...}]"
		howList   = "\n  hint: write receivers: [{webhook: https://...}, {command: [...]}]"
		howWord   = "\n  hint: write command: [/usr/local/bin/tell, ops]; a shell is asked for as [sh, -c, TEXT]"
		howURL    = "\n  hint: write url: {env: NAME}, or {file: PATH}, which is kept out of plan and journal"
		howSecret = ": {env: NAME} or {file: PATH}"
		mail      = "server: m, from: a@b, to: c@d"
	)
	for text, want := range map[string]string{
		"notify: mail":                                "1:9: notify must be a list of notifications, not a single value" + how,
		"notify: []":                                  "1:9: notify must be a list of notifications, not nothing" + how,
		"notify: {}":                                  "1:9: notify must be a list of notifications, not nothing" + how,
		"notify: [mail]":                              "1:10: a notification must be a mapping, not a single value" + how,
		"notify: {receiver: []}":                      "1:10: unknown key \"receiver\" in the notification\n  hint: did you mean \"receivers\"?",
		"notify: {on: run}":                           "1:9: the notification has no receiver\n  hint: add one of webhook, command, mail; or receivers: with a list of them",
		"notify: {receivers: []}":                     "1:21: receivers must be a list with at least one receiver, not nothing" + howList,
		"notify: {receivers: {command: [a]}}":         "1:21: receivers must be a list with at least one receiver, not a mapping" + howList,
		"notify: {receivers: [ops]}":                  "1:22: a receiver must be a mapping, not a single value" + howList,
		"notify: {receivers: [{}]}":                   "1:22: the receiver is none of webhook, command, mail" + howList,
		"notify: {receivers: [{comand: [a]}]}":        "1:23: unknown key \"comand\" in the receiver\n  hint: did you mean \"command\"?",
		"notify: {command: [a], webhook: 'http://a'}": "1:19: the notification has webhook and command\n  hint: write receivers: [...] where the second is for when the first does not answer, or two notifications where both are to be told",
		"notify: {receivers: [{command: [a], webhook: 'http://a'}]}": "1:32: a receiver is one of webhook, command, mail\n  hint: begin another with \"- \"",
		"notify: {command: [a], receivers: [{command: [a]}]}":        "1:19: a notification with receivers has no command beside them\n  hint: move it into receivers: they are tried in turn until one answers",
		"notify: [{name: a, command: [a]}, {name: a, command: [b]}]": "1:35: duplicate notification \"a\"\n  hint: the first stands at upgrade.yaml:1; give each a name of its own",

		"notify: {command: [a], on: []}":         "1:28: on of the notification names nothing\n  hint: write on: [run, batch.failure]",
		"notify: {command: [a], on: {a: b}}":     "1:28: on of the notification must be a list, not a mapping",
		"notify: {command: [a], on: [failures]}": "1:29: nothing is called \"failures\" that can be told of\n  hint: did you mean \"failure\"?",
		"notify: {command: [a], on: unit.start}": "1:28: nothing is called \"unit.start\" that can be told of\n  hint: did you mean \"run.start\"?",
		"notify: {command: [a], on: [x]}":        "1:29: nothing is called \"x\" that can be told of\n  hint: known are run.start, run.wait, run.success, run.failure, run.stop, stage.start, stage.success, stage.failure, batch.start, batch.success, batch.failure, and for several of them run, stage, batch, start, success, failure, stop, wait",

		"notify: {command: [a], timeout: 0}":    "1:33: a timeout of 0 leaves no time to answer\n  hint: write timeout: 10s",
		"notify: {command: [a], timeout: soon}": "1:33: timeout of the notification must be a duration such as 30s or 5m, not \"soon\"\n  hint: write 90s, 5m or 1h30m; a bare number counts seconds",
		"notify: {command: [a], tries: 0}":      "1:31: tries of the notification must be a whole number, 1 or more, not \"0\"",

		"notify: {command: tell ops}":          "1:19: a command must be a list of words, not a single value" + howWord,
		"notify: {command: []}":                "1:19: a command must be a list of words, not nothing" + howWord,
		"notify: {command: {}}":                "1:19: the command has no argv\n  hint: add argv: [/usr/local/bin/tell, ops]",
		"notify: {command: {argv: a}}":         "1:26: a command must be a list of words, not a single value" + howWord,
		"notify: {command: [[a]]}":             "1:20: a word of the command must be a single value, not a list",
		"notify: {command: ['', a]}":           "1:19: the command has no name" + howWord,
		"notify: {command: [a, '{{ no }}']}":   "1:23: \"{{ no }}\" names no, which is no input\n  hint: declare it under inputs: in upgrade.yaml",
		"notify: {command: [a, '{{ .Run }}']}": "1:23: \"{{ .Run }}\": only {{ input }} can stand here\n  hint: this is decided when planning, before Ansible's variables are known",
		`notify: {command: [a, "\e"]}`:         "1:23: a word of the command has a control character (U+001B)\n  hint: take it out",

		"notify: {webhook: []}":                                                             "1:19: webhook must be an address or a mapping, not nothing\n  hint: write webhook: https://..., or webhook: {url: {env: NAME}}",
		"notify: {webhook: {}}":                                                             "1:19: the webhook has no url\n  hint: add url: VALUE",
		"notify: {webhook: example.org}":                                                    "1:19: url of the webhook must be an address such as https://host/path" + howURL + " where it is secret",
		"notify: {webhook: 'ftp://example.org'}":                                            "1:19: url of the webhook must be an address such as https://host/path" + howURL + " where it is secret",
		"notify: {webhook: 'https://u:p@host/'}":                                            "1:19: url of the webhook holds a user or a password" + howURL,
		"notify: {webhook: 'https://h/?token=x'}":                                           "1:19: url of the webhook holds a token in clear" + howURL,
		"notify: {webhook: {url: {envy: X}}}":                                               "1:26: unknown key \"envy\" in url of the webhook\n  hint: did you mean \"env\"?",
		"notify: {webhook: {url: {}}}":                                                      "1:25: url of the webhook says neither env nor file\n  hint: write {env: NAME} or {file: PATH}",
		"notify: {webhook: {url: {env: a, file: b}}}":                                       "1:25: url of the webhook has both env and file\n  hint: leave one of them out",
		"notify: {webhook: {url: {env: a-b}}}":                                              "1:31: \"a-b\" cannot name an environment variable\n  hint: use letters, digits and _",
		"notify: {webhook: {url: 'http://a', method: get}}":                                 "1:45: method of the webhook must be one of POST, PUT, PATCH, not \"get\"\n  hint: write method: POST or method: PUT or method: PATCH",
		"notify: {webhook: {url: 'http://a', headers: [a]}}":                                "1:46: headers of the webhook must be a mapping, not a list\n  hint: write headers: {NAME: VALUE, Authorization: {env: NAME}}",
		"notify: {webhook: {url: 'http://a', headers: {'a b': c}}}":                         "1:47: \"a b\" cannot name a header\n  hint: use letters, digits and -",
		"notify: {webhook: {url: 'http://a', headers: {content-length: 1}}}":                "1:47: header content-length is set by upstep itself\n  hint: leave it out",
		"notify: {webhook: {url: 'http://a', headers: {A: 1, a: 1}}}":                       "1:53: duplicate header a\n  hint: capitals make no difference; remove one of the two",
		"notify: {webhook: {url: 'http://a', headers: {Authorization: abc}}}":               "1:62: header Authorization must not stand here in clear\n  hint: write Authorization" + howSecret,
		"notify: {webhook: {url: 'http://a', headers: {X-A: !vault abc}}}":                  "1:52: header X-A: a vault is opened by Ansible, which sends no notifications\n  hint: write it" + howSecret,
		"notify: {webhook: {url: 'http://a', headers: {X-A: \"b\\nc\"}}}":                   "1:52: header X-A has a control character (U+000A)\n  hint: take it out",
		"notify: {webhook: {url: 'http://a', headers: {X-A: {env: B, prefix: \"a\\nb\"}}}}": "1:69: prefix of header X-A must be one line",

		"notify: {mail: ops@example.org}":                                       "1:16: the mail must be a mapping, not a single value\n  hint: its keys are server, tls, from, to, subject, user, password, template, timeout, tries, delay",
		"notify: {mail: {from: a@b, to: c@d}}":                                  "1:16: the mail has no server\n  hint: add server: VALUE",
		"notify: {mail: {server: m, from: a@b, to: []}}":                        "1:43: to of the mail must be a list of addresses, not nothing",
		"notify: {mail: {server: m, from: ops, to: c@d}}":                       "1:34: from of the mail: \"ops\" is no address\n  hint: write it as ops@example.org, or as Operators <ops@example.org>",
		"notify: {mail: {server: m, from: a@b, to: [c@d, 'e']}}":                "1:43: to of the mail: \"e\" is no address\n  hint: write it as ops@example.org, or as Operators <ops@example.org>",
		"notify: {mail: {server: 'smtp://m', from: a@b, to: c@d}}":              "1:25: server of the mail must be a host, not \"smtp://m\"\n  hint: write mail.example.org or mail.example.org:587",
		"notify: {mail: {server: 'm:0', from: a@b, to: c@d}}":                   "1:25: server of the mail must be a host, not \"m:0\"\n  hint: write mail.example.org or mail.example.org:587",
		"notify: {mail: {" + mail + ", tls: yes}}":                              "1:53: tls of the mail must be one of auto, required, implicit, off, not \"yes\"\n  hint: write tls: auto or tls: required or tls: implicit or tls: off",
		"notify: {mail: {" + mail + ", user: u}}":                               "1:54: the mail has a user and no password\n  hint: add password: {env: NAME} or {file: PATH}",
		"notify: {mail: {" + mail + ", password: {env: P}}}":                    "1:58: the mail has a password and no user\n  hint: add user: NAME",
		"notify: {mail: {" + mail + ", user: u, password: geheim}}":             "1:67: password of the mail must not stand here in clear\n  hint: write password" + howSecret,
		"notify: {mail: {" + mail + ", user: u, password: !vault geheim}}":      "1:67: password of the mail: a vault is opened by Ansible, which sends no notifications\n  hint: write password" + howSecret,
		"notify: {mail: {" + mail + ", user: u, password: {env: P}, tls: off}}": "1:82: the password of the mail would go over the network in clear\n  hint: leave tls out, or write tls: required or tls: implicit",
	} {
		t.Run(text, func(t *testing.T) {
			_, problems := load(t, text)
			require.Equal(t, "upgrade.yaml:"+want, problems)
			require.NotContains(t, problems, "geheim")
		})
	}
}

func TestAllProblemsOfNotifyAtOnce(t *testing.T) {
	_, problems := load(t, `notify:
  - on: [run, batches]
    webhook: {url: nowhere, headers: {Cookie: a, X-B: [c]}}
  - mail: {from: a}
    retry: 2
  - command: ls
`)
	require.Equal(t, 8, strings.Count(problems, "upgrade.yaml:"), problems)
}
