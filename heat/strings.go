package heat

import (
	"cmp"
	"crypto/md5"  //nolint:gosec // Heat's digest function names the algorithm
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/upstep/upstep/yaql"
)

// replace is str_replace: longer placeholders first, and what is put in is not
// searched again. heat/engine/hot/functions.py: Replace, ReplaceJson.
func (c *call) replace() any {
	form := c.name + ": {template: TEXT, params: {NAME: VALUE}}"
	template, ok := yaql.Open(c.field("template")).(string)
	params, is := yaql.Open(c.field("params")).(*yaql.Map)
	if !ok || !is {
		c.misuse(form)
		return nil
	}
	type pair struct{ name, value string }
	var all []pair
	for key, val := range params.All() {
		name := text(key)
		if c.name == "str_replace_vstrict" && inText(val) == "" || c.name == "str_replace_vstrict" && empty(val) {
			c.fail(c.name+": "+name+" has no value", "give it one, or write str_replace_strict")
			return nil
		}
		if name == "" {
			c.misuse(form + ", none of the names empty")
			return nil
		}
		all = append(all, pair{name, inText(val)})
	}
	slices.SortFunc(all, func(a, b pair) int {
		return cmp.Or(cmp.Compare(utf8.RuneCountInString(b.name), utf8.RuneCountInString(a.name)), cmp.Compare(a.name, b.name))
	})
	found := map[string]bool{}
	var put func(s string, rest []pair) string
	put = func(s string, rest []pair) string {
		if len(rest) == 0 {
			return s
		}
		parts := strings.Split(s, rest[0].name)
		if len(parts) > 1 {
			found[rest[0].name] = true
		}
		for i := range parts {
			parts[i] = put(parts[i], rest[1:])
		}
		if !c.engine.work(len(s)+(len(parts)-1)*len(rest[0].value), c.at.Pos()) {
			return ""
		}
		return strings.Join(parts, rest[0].value)
	}
	out := put(template, all)
	for _, p := range all {
		if c.name != "str_replace" && !found[p.name] {
			c.fail(c.name+": the template has no "+p.name, "take the parameter out, or write str_replace")
			return nil
		}
	}
	return out
}

// inText gives a value as it is put into a text: lists and mappings as JSON.
func inText(v any) string {
	switch open := yaql.Open(v).(type) {
	case nil:
		return ""
	case []any, *yaql.Map:
		return pythonJSON(Plain(open))
	default:
		return text(open)
	}
}

func empty(v any) bool {
	switch t := yaql.Open(v).(type) {
	case []any:
		return len(t) == 0
	case *yaql.Map:
		return t.Len() == 0
	}
	return false
}

// truth is Python's.
func truth(v any) bool {
	switch t := yaql.Open(v).(type) {
	case nil, bool:
		return t == true
	case int64:
		return t != 0
	case float64:
		return t != 0
	case string:
		return t != ""
	default:
		return !empty(t)
	}
}

func (c *call) split() any {
	args := c.args(2, 0)
	if args == nil || yaql.Open(args[1]) == nil {
		return nil
	}
	sep, ok := yaql.Open(args[0]).(string)
	s, is := yaql.Open(args[1]).(string)
	if !is || yaql.Open(args[0]) != nil && (!ok || sep == "") {
		c.misuse("str_split: [SEPARATOR, TEXT, INDEX]")
		return nil
	}
	var out []any
	parts := strings.Split(s, sep)
	if !ok {
		parts = strings.Fields(s)
	}
	for _, part := range parts {
		out = append(out, part)
	}
	if len(args) == 2 {
		return out
	}
	at, ok := asIndex(args[2], len(out))
	if !ok {
		c.fail("str_split: there is no part "+text(args[2])+" of "+firstOf(s), "parts count from 0")
		return nil
	}
	return out[at]
}

// asIndex reads a place among n as Python's int does.
func asIndex(v any, n int) (int, bool) {
	if f, ok := yaql.Open(v).(float64); ok && f > -1e15 && f < 1e15 {
		v = int64(f)
	}
	v = yaql.Open(v)
	switch v.(type) {
	case string, int64, bool:
		return place(v, n, true)
	}
	return 0, false
}

// join is list_join: a separator, then lists. heat/engine/hot/functions.py: JoinMultiple.
func (c *call) join() any {
	args := c.args(2, 0)
	if args == nil {
		return nil
	}
	sep, ok := yaql.Open(args[0]).(string)
	if !ok {
		c.misuse("list_join: [SEPARATOR, LIST, ...]")
		return nil
	}
	var parts []string
	for _, a := range args[1:] {
		list, is := yaql.Open(a).([]any)
		if !is && truth(a) {
			c.misuse("list_join: [SEPARATOR, LIST, ...]")
			return nil
		}
		for _, it := range list {
			switch yaql.Open(it).(type) {
			case nil, string, []any, *yaql.Map:
			default:
				c.fail("list_join joins texts, lists and mappings, not "+text(it), "put it in quotes, or declare its parameter with type: string")
				return nil
			}
			parts = append(parts, inText(it))
		}
	}
	total := 0
	for _, p := range parts {
		total += len(p) + len(sep)
	}
	if !c.engine.work(total, c.at.Pos()) {
		return nil
	}
	return strings.Join(parts, sep)
}

func (c *call) digest() any {
	args := c.args(2, 2)
	if args == nil {
		return nil
	}
	name, _ := yaql.Open(args[0]).(string)
	s, ok := yaql.Open(args[1]).(string)
	var data []byte
	for _, r := range s { // Heat takes the text as Latin 1
		ok = ok && r <= 0xff
		data = append(data, byte(r)) //nolint:gosec // checked above
	}
	var sum []byte
	switch strings.ToLower(name) {
	case "md5":
		h := md5.Sum(data) //nolint:gosec // Heat's digest function names the algorithm
		sum = h[:]
	case "sha1":
		h := sha1.Sum(data) //nolint:gosec // as above
		sum = h[:]
	case "sha224":
		h := sha256.Sum224(data)
		sum = h[:]
	case "sha256":
		h := sha256.Sum256(data)
		sum = h[:]
	case "sha384":
		h := sha512.Sum384(data)
		sum = h[:]
	case "sha512":
		h := sha512.Sum512(data)
		sum = h[:]
	default:
		ok = false
	}
	if !ok {
		c.misuse("digest: [md5, TEXT], or sha1, sha224, sha256, sha384, sha512")
		return nil
	}
	return hex.EncodeToString(sum)
}

// url is make_url. heat/engine/hot/functions.py: MakeURL.
func (c *call) url() any {
	const form = "make_url: {scheme: ..., host: ..., port: ..., path: ...}, each a text"
	args, ok := yaql.Open(c.value(c.node)).(*yaql.Map)
	if !ok {
		c.misuse(form)
		return nil
	}
	part := map[string]string{}
	for key, val := range args.All() {
		name, _ := key.(string)
		s, is := yaql.Open(val).(string)
		switch name {
		case "scheme", "username", "password", "host", "path", "fragment":
		case "query":
			_, is = yaql.Open(val).(*yaql.Map)
		case "port":
			s, is = port(val)
		default:
			is = false
		}
		if !is || name == "scheme" && strings.Contains(s, ":") {
			c.misuse(form)
			return nil
		}
		part[name] = s
	}
	query, _ := args.Get("query")
	return unsplit(part["scheme"], netloc(part), escape(part["path"], "/"), c.query(query), escape(part["fragment"], "/"))
}

func port(v any) (string, bool) {
	n, ok := int64(0), false
	switch t := yaql.Open(v).(type) {
	case int64:
		n, ok = t, true
	case float64:
		n, ok = int64(t), true
	case bool:
		n, ok = 1, t
	case string:
		n, ok = pythonInt(t)
	}
	return text(v), ok && n > 0 && n <= 65535
}

func netloc(part map[string]string) string {
	user, password, host := escape(part["username"], ""), escape(part["password"], ""), part["host"]
	if user != "" || password != "" {
		if password != "" {
			user += ":" + password
		}
		user += "@"
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			host = inner
		}
	}
	if host = escape(host, ":"); strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if part["port"] != "" {
		host += ":" + part["port"]
	}
	return user + host
}

// unsplit is Python's urlunsplit.
func unsplit(scheme, netloc, path, query, fragment string) string {
	url := path
	if netloc != "" || scheme != "" && slices.Contains(withNetloc(), scheme) && !strings.HasPrefix(url, "//") {
		if url != "" && !strings.HasPrefix(url, "/") {
			url = "/" + url
		}
		url = "//" + netloc + url
	}
	if scheme != "" {
		url = scheme + ":" + url
	}
	if query != "" {
		url += "?" + query
	}
	if fragment != "" {
		url += "#" + fragment
	}
	return url
}

// withNetloc are the schemes that Python writes // behind, be there a host or none.
func withNetloc() []string {
	return []string{
		"", "ftp", "http", "gopher", "nntp", "telnet", "imap", "wais", "file", "mms", "https", "shttp", "snews", "prospero",
		"rtsp", "rtspu", "rsync", "svn", "svn+ssh", "sftp", "nfs", "git", "git+ssh", "ws", "wss",
	}
}

// query writes the query of an address, in the order in which it is given.
func (c *call) query(v any) string {
	m, _ := yaql.Open(v).(*yaql.Map)
	if m == nil {
		return ""
	}
	var parts []string
	for key, val := range m.All() {
		pair := url.QueryEscape(text(key)) + "=" + url.QueryEscape(text(val))
		parts = append(parts, strings.ReplaceAll(pair, "%2F", "/"))
	}
	return strings.Join(parts, "&")
}

// escape is Python's quote: letters, digits and _.-~ stand, and what is safe.
func escape(s, safe string) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	for _, r := range safe {
		s = strings.ReplaceAll(s, url.QueryEscape(string(r)), string(r))
	}
	return s
}
