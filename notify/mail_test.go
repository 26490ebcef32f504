package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// here is any port of this machine.
const here = "127.0.0.1:0"

// office is a mail server.
type office struct {
	addr     string
	roots    *x509.CertPool
	password string // of upstep; empty: everybody may send
	mu       sync.Mutex
	letters  []posted
}

// posted is a letter that the server has taken.
type posted struct {
	from string
	to   []string
	text string
	user string
	safe bool // it came over what is encrypted
}

// newOffice opens a server at an address. crypt is starttls, implicit, or empty.
func newOffice(t testing.TB, at, crypt, password string) *office {
	t.Helper()
	o := &office{password: password, roots: x509.NewCertPool()}
	s := smtp.NewServer(o)
	s.Domain, s.AllowInsecureAuth, s.ErrorLog = "localhost", true, log.New(io.Discard, "", 0)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at)
	require.NoError(t, err)
	o.addr = listener.Addr().String()
	if crypt != "" {
		config := &tls.Config{Certificates: []tls.Certificate{certificate(t, o.roots)}, MinVersion: tls.VersionTLS12}
		if crypt == "implicit" {
			listener = tls.NewListener(listener, config)
		} else {
			s.TLSConfig = config
		}
	}
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() { _ = s.Close() })
	return o
}

// certificate makes one for this machine that a pool trusts.
func certificate(t testing.TB, roots *x509.CertPool) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (o *office) all() []posted {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]posted{}, o.letters...)
}

// NewSession is of smtp.Backend.
func (o *office) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, safe := c.TLSConnectionState()
	return &counter{office: o, posted: posted{safe: safe}}, nil
}

// counter serves one connection.
type counter struct {
	*office
	posted
}

func (c *counter) AuthMechanisms() []string {
	if c.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != c.password {
			return &smtp.SMTPError{Code: 535, Message: "wrong password " + password}
		}
		c.user = user
		return nil
	}), nil
}

func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	if c.password != "" && c.user == "" {
		return &smtp.SMTPError{Code: 530, Message: "who are you?"}
	}
	c.from = from
	return nil
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "nobody@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	case strings.HasPrefix(to, "later@"):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "greylisted"}
	}
	c.to = append(c.to, to)
	return nil
}

func (c *counter) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	c.text = string(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.letters = append(c.letters, c.posted)
	return err
}

func (c *counter) Reset()        {}
func (c *counter) Logout() error { return nil }

func TestMail(t *testing.T) {
	o := newOffice(t, here, "", "")
	a := once(t, "notify: {mail: {server: '"+o.addr+"', from: Upstep <upstep@example.org>, to: [ops@example.org, Duty <duty@example.org>]}}", failed(), options(t, &notes{}))
	require.NoError(t, a[0].Err)
	require.Equal(t, "mail to ops@example.org, Duty <duty@example.org>", a[0].Receiver)
	letter := o.all()[0]
	require.Equal(t, "upstep@example.org", letter.from)
	require.Equal(t, []string{"ops@example.org", "duty@example.org"}, letter.to)
	m, err := mail.ReadMessage(strings.NewReader(letter.text))
	require.NoError(t, err)
	require.Equal(t, `"Upstep" <upstep@example.org>`, m.Header.Get("From"))
	require.Equal(t, "web application: run 20261121-120000 failed after 31s: non-control-plane/1/step4/Web failed on web2: no space left", m.Header.Get("Subject"))
	require.Equal(t, "Sat, 21 Nov 2026 12:00:00 +0000", m.Header.Get("Date"))
	require.Equal(t, "auto-generated", m.Header.Get("Auto-Submitted"))
	require.NotEmpty(t, m.Header.Get("Message-ID"))
	require.Contains(t, letter.text, "out of traffic: web2")

	odd := failed()
	odd.Message = "Käse\nBcc: all@example.org"
	a = once(t, "notify: {mail: {server: '"+o.addr+"', from: a@b, to: c@d, subject: \"{{ .Message }}\\nX-Made-Up: yes\", template: '{{ .State }} {{ .Message }}'}}", odd, options(t, &notes{}))
	require.NoError(t, a[0].Err)
	m, err = mail.ReadMessage(strings.NewReader(o.all()[1].text))
	require.NoError(t, err)
	require.Equal(t, "=?UTF-8?q?K=C3=A4se?=", m.Header.Get("Subject"))
	require.Empty(t, m.Header.Get("Bcc"))
	require.Empty(t, m.Header.Get("X-Made-Up"))
	require.Equal(t, []string{"c@d"}, o.all()[1].to)
}

// TestMailIsEncryptedAndLoggedIn goes through what servers offer and what is asked for.
func TestMailIsEncryptedAndLoggedIn(t *testing.T) {
	const password = "geheim-geheim"
	for name, c := range map[string]struct {
		crypt, password, tls, given string
		trusted                     bool
		want                        string // the error
		safe, user                  bool
	}{
		"neither offered nor asked for":         {"", "", "auto", "", false, "", false, false},
		"encryption is taken where offered":     {"starttls", "", "auto", "", false, "", true, false},
		"encryption is left":                    {"starttls", "", "off", "", false, "", false, false},
		"required of whom nobody knows":         {"starttls", "", "required", "", false, "certificate signed by unknown authority", false, false},
		"required":                              {"starttls", "", "required", "", true, "", true, false},
		"required where it is not offered":      {"", "", "required", "", false, "it offers no encryption", false, false},
		"from the first byte on":                {"implicit", "", "implicit", "", true, "", true, false},
		"that of whom nobody knows":             {"implicit", "", "implicit", "", false, "certificate signed by unknown authority", false, false},
		"a password":                            {"starttls", password, "auto", password, true, "", true, true},
		"a password, required":                  {"starttls", password, "required", password, true, "", true, true},
		"a password on this machine":            {"", password, "auto", password, false, "", false, true},
		"a password that nobody asks for":       {"starttls", "", "auto", password, true, "", true, false},
		"a wrong password":                      {"starttls", password, "auto", "falsch-falsch", true, "it answered 535", false, false},
		"none where one is asked for":           {"starttls", password, "auto", "", true, "it answered 530", false, false},
		"a password over what is all encrypted": {"implicit", password, "implicit", password, true, "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, here, c.crypt, c.password)
			opts := options(t, &notes{}, "MAIL_WORD="+c.given)
			if c.trusted {
				opts.Roots = o.roots
			}
			login := ""
			if c.given != "" {
				login = ", user: upstep, password: {env: MAIL_WORD}"
			}
			a := once(t, "notify: {mail: {server: '"+o.addr+"', from: a@b, to: c@d, tls: "+c.tls+login+"}}", failed(), opts)
			if c.want != "" {
				require.ErrorContains(t, a[0].Err, c.want)
				require.NotContains(t, a[0].Err.Error(), "falsch")
				require.NotContains(t, a[0].Err.Error(), password)
				require.Empty(t, o.all())
				return
			}
			require.NoError(t, a[0].Err)
			require.Equal(t, c.safe, o.all()[0].safe)
			require.Equal(t, c.user, o.all()[0].user == "upstep")
		})
	}
}

// TestAPasswordLeavesThisMachineEncryptedOnly has a server that offers no encryption, under
// an address that others could have as well.
func TestAPasswordLeavesThisMachineEncryptedOnly(t *testing.T) {
	outside := ""
	all, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range all {
		if ip, is := a.(*net.IPNet); is && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			outside = ip.IP.String()
		}
	}
	if outside == "" {
		t.Skip("this machine has no address but its own")
	}
	o := newOffice(t, outside+":0", "", "geheim-geheim")
	for _, tls := range []string{"auto", "required"} {
		a := once(t, "notify: {mail: {server: '"+o.addr+"', from: a@b, to: c@d, tls: "+tls+", user: upstep, password: {env: MAIL_WORD}}}", failed(), options(t, &notes{}, "MAIL_WORD=geheim-geheim"))
		require.EqualError(t, a[0].Err, "it offers no encryption (STARTTLS), which a password or tls: required asks for")
		require.Empty(t, o.all())
	}
}

func TestAnswersOfMailServers(t *testing.T) {
	o := newOffice(t, here, "", "")
	for to, c := range map[string]struct {
		tries int
		want  string
	}{
		"nobody@example.org": {1, "it answered 550 5.1.1 no such user"},
		"later@example.org":  {2, "it answered 451 4.2.0 greylisted"},
	} {
		a := once(t, "notify: {mail: {server: '"+o.addr+"', from: a@b, to: "+to+"}, tries: 2, delay: 0}", failed(), options(t, &notes{}))
		require.EqualError(t, a[0].Err, c.want)
		require.Equal(t, c.tries, a[0].Tries)
	}
	a := once(t, "notify: {mail: {server: '127.0.0.1:1', from: a@b, to: c@d}}", failed(), options(t, &notes{}))
	require.ErrorContains(t, a[0].Err, "connection refused")
	a = once(t, "notify: {mail: {server: '"+o.addr+"', from: a@b, to: c@d, user: u, password: {file: no-such}}}", failed(), options(t, &notes{}))
	require.EqualError(t, a[0].Err, "password: read no-such: no such file or directory")
}

// TestAMailServerThatHangs takes connections and says nothing, or stops in the middle.
func TestAMailServerThatHangs(t *testing.T) {
	for name, words := range map[string]string{"at once": "", "behind its greeting": "220 hello\r\n"} {
		t.Run(name, func(t *testing.T) {
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { _ = listener.Close() }()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = io.WriteString(conn, words)
				}
			}()
			began := time.Now()
			a := once(t, "notify: {mail: {server: '"+listener.Addr().String()+"', from: a@b, to: c@d, timeout: 300ms}}", failed(), options(t, &notes{}))
			require.EqualError(t, a[0].Err, "no answer within 300ms")
			require.Less(t, time.Since(began), 10*time.Second)
		})
	}
}
