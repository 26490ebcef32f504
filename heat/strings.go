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
	"strconv"
	"strings"

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
		if name == "" {
			c.misuse(form + ", none of the names empty")
			return nil
		}
		if c.name != "str_replace" && !strings.Contains(template, name) {
			c.fail(c.name+": the template has no "+name, "take the parameter out, or write str_replace")
			return nil
		}
		all = append(all, pair{name, inText(val)})
	}
	slices.SortFunc(all, func(a, b pair) int {
		return cmp.Or(cmp.Compare(len(b.name), len(a.name)), cmp.Compare(b.name, a.name))
	})
	var put func(s string, rest []pair) string
	put = func(s string, rest []pair) string {
		if len(rest) == 0 {
			return s
		}
		parts := strings.Split(s, rest[0].name)
		for i := range parts {
			parts[i] = put(parts[i], rest[1:])
		}
		return strings.Join(parts, rest[0].value)
	}
	return put(template, all)
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

func (c *call) split() any {
	args := c.args(2, 3)
	if args == nil {
		return nil
	}
	sep, ok := yaql.Open(args[0]).(string)
	s, is := yaql.Open(args[1]).(string)
	if yaql.Open(args[1]) == nil {
		return nil
	}
	if !ok || !is || sep == "" {
		c.misuse("str_split: [SEPARATOR, TEXT, INDEX]")
		return nil
	}
	var out []any
	for part := range strings.SplitSeq(s, sep) {
		out = append(out, part)
	}
	if len(args) == 2 {
		return out
	}
	at, ok := asIndex(args[2])
	if !ok || at < 0 || at >= len(out) {
		c.fail("str_split: there is no part "+text(args[2])+" of "+firstOf(s), "parts count from 0")
		return nil
	}
	return out[at]
}

// asIndex reads a whole number that may be written as text.
func asIndex(v any) (int, bool) {
	if i, ok := index(v); ok {
		return i, true
	}
	s, _ := yaql.Open(v).(string)
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// join is list_join: a separator, then lists. heat/engine/hot/functions.py: JoinMultiple.
func (c *call) join() any {
	args := c.args(2, 0)
	if args == nil {
		return nil
	}
	sep, ok := yaql.Open(args[0]).(string)
	if !ok && yaql.Open(args[0]) != nil {
		c.misuse("list_join: [SEPARATOR, LIST, ...]")
		return nil
	}
	var parts []string
	for _, a := range args[1:] {
		list, is := yaql.Open(a).([]any)
		if !is && yaql.Open(a) != nil && yaql.Open(a) != "" {
			c.misuse("list_join: [SEPARATOR, LIST, ...]")
			return nil
		}
		for _, it := range list {
			parts = append(parts, inText(it))
		}
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
	data := []byte(s)
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
	if _, ok := yaql.Open(c.value(c.node)).(*yaql.Map); !ok {
		c.misuse("make_url: {scheme: ..., host: ..., port: ..., path: ...}")
		return nil
	}
	get := func(name string) string {
		v := yaql.Open(c.field(name))
		if v == nil {
			return ""
		}
		return text(v)
	}
	var b strings.Builder
	if scheme := get("scheme"); scheme != "" {
		b.WriteString(scheme + ":")
	}
	host, user, password, port := get("host"), get("username"), get("password"), get("port")
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	if host != "" || user != "" || password != "" || port != "" {
		b.WriteString("//")
		if user != "" || password != "" {
			b.WriteString(quoted(user))
			if password != "" {
				b.WriteString(":" + quoted(password))
			}
			b.WriteByte('@')
		}
		b.WriteString(host)
		if port != "" {
			b.WriteString(":" + port)
		}
	}
	if path := get("path"); path != "" {
		if !strings.HasPrefix(path, "/") {
			b.WriteByte('/')
		}
		b.WriteString((&url.URL{Path: path}).EscapedPath())
	}
	b.WriteString(c.query())
	if fragment := get("fragment"); fragment != "" {
		b.WriteString("#" + quoted(fragment))
	}
	return b.String()
}

// query writes the query of an address, in the order in which it is given.
func (c *call) query() string {
	m, ok := yaql.Open(c.field("query")).(*yaql.Map)
	if !ok || m.Len() == 0 {
		return ""
	}
	var parts []string
	for key, val := range m.All() {
		parts = append(parts, url.QueryEscape(text(key))+"="+url.QueryEscape(inText(val)))
	}
	return "?" + strings.Join(parts, "&")
}

func quoted(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
