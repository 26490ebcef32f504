package heat

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// call is one function where it stands: what it was given, not evaluated yet.
type call struct {
	*Stack

	name string
	at   source.Node // the whole {name: argument}
	node source.Node
}

// function tells whether a mapping is a call of a function that the template's version has.
func (s *Stack) function(n source.Node) (name string, arg source.Node, is bool) {
	if s.template == nil { // a value of an environment
		return "", source.Node{}, false
	}
	count := 0
	for key, val := range n.Pairs() {
		if count++; count > 1 {
			return "", source.Node{}, false
		}
		name, arg = key.Text(), val
	}
	since, known := functionSince(name)
	if count == 0 || !known || version(s.template.root.Get("heat_template_version")) < since {
		return "", source.Node{}, false
	}
	return name, arg, true
}

// functionSince gives the version of templates from which a function is one; before,
// a mapping with such a key is an ordinary value (setup: {filter: ...}).
// https://docs.openstack.org/heat/train/template_guide/hot_spec.html
func functionSince(name string) (string, bool) {
	switch name {
	case "get_param", "get_attr", "get_file", "get_resource", "str_replace", "list_join", "repeat", "digest", "str_split", "map_merge",
		"resource_facade", "yaql", "map_replace", "if", "equals", "not", "and", "or":
		return "", true
	case "filter", "str_replace_strict":
		return "2017-02-24", true
	case "make_url", "list_concat", "list_concat_unique", "contains":
		return "2017-09-01", true
	case "str_replace_vstrict":
		return "2018-03-02", true
	}
	return "", false
}

// version gives a template's version as a date, which orders them.
func version(declared source.Node) string {
	switch v := declared.Text(); v {
	case "newton":
		return "2016-10-14"
	case "ocata":
		return "2017-02-24"
	case "pike":
		return "2017-09-01"
	case "queens":
		return "2018-03-02"
	case "":
		return "9"
	default:
		return v // a date, or rocky and wallaby, which sort behind them
	}
}

// pure tells whether a value holds no function, so that it can stand as it was written.
func (s *Stack) pure(n source.Node) bool {
	if s.template == nil {
		return true
	}
	switch n.Kind() {
	case source.List:
		for it := range n.Elements() {
			if !s.pure(it) {
				return false
			}
		}
	case source.Map:
		if known, ok := s.engine.pureness[n]; ok {
			return known
		}
		_, _, is := s.function(n)
		if !is {
			for _, val := range n.Pairs() {
				if is = !s.pure(val); is {
					break
				}
			}
		}
		s.engine.pureness[n] = !is
		return !is
	case source.Missing, source.Null, source.Scalar:
	}
	return true
}

// omitted tells whether a value is an {if: [condition, value]} whose condition does
// not hold: what it stands for is then not there (Heat since Wallaby).
func (s *Stack) omitted(n source.Node) bool {
	if n.Kind() != source.Map {
		return false
	}
	name, arg, is := s.function(n)
	if !is || name != "if" || arg.Len() != 2 {
		return false
	}
	items := arg.Items()
	return !s.condition(s.value(items[0]), items[0].Pos())
}

// apply evaluates a function. What it gives may be a Value that is not opened yet.
func (s *Stack) apply(name string, at, arg source.Node) any {
	c := call{s, name, at, arg}
	switch name {
	case "get_param":
		return c.getParam()
	case "get_attr":
		return c.getAttr()
	case "get_file":
		return c.getFile()
	case "get_resource":
		return text(s.value(arg))
	case "if":
		return c.choose()
	case "equals":
		args := c.args(2, 2)
		return args != nil && equal(args[0], args[1])
	case "not":
		return !s.condition(s.value(arg), arg.Pos())
	case "and", "or":
		return c.all()
	case "contains":
		args := c.args(2, 2)
		return args != nil && c.contains(args)
	case "yaql":
		return c.yaql()
	case "str_replace", "str_replace_strict", "str_replace_vstrict":
		return c.replace()
	case "str_split":
		return c.split()
	case "list_join":
		return c.join()
	case "digest":
		return c.digest()
	case "make_url":
		return c.url()
	case "list_concat", "list_concat_unique":
		return c.concat()
	case "filter":
		return c.filter()
	case "map_merge":
		return c.mapMerge()
	case "map_replace":
		return c.mapReplace()
	case "repeat":
		return c.repeat()
	}
	c.fail("Heat function "+name+" is not evaluated here", "write the value itself")
	return nil
}

func (c *call) fail(message, hint string) {
	c.engine.fail(c.at.Pos(), message, hint)
}

func (c *call) misuse(form string) {
	c.fail(c.name+" can't be evaluated: "+snippet(c.at), "write "+form)
}

// snippet shows an expression as it stands, on one line.
func snippet(n source.Node) string {
	s := n.JSON()
	const most = 160
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// args gives the arguments of a function that takes a list of low to high of them.
func (c *call) args(low, high int) []any {
	list, ok := yaql.Open(c.value(c.node)).([]any)
	if !ok || len(list) < low || high > 0 && len(list) > high {
		c.misuse(c.name + ": [...] with " + count(low, high))
		return nil
	}
	return list
}

func count(low, high int) string {
	switch high {
	case low:
		return strconv.Itoa(low) + " values"
	case 0:
		return strconv.Itoa(low) + " or more values"
	}
	return strconv.Itoa(low) + " to " + strconv.Itoa(high) + " values"
}

// field gives an argument by name, of a function that takes a mapping.
func (c *call) field(name string) *Value {
	return c.value(c.node.Get(name))
}

func (c *call) getParam() any {
	if c.node.Kind() == source.Scalar {
		return c.parameter(c.node.Text(), c.at.Pos())
	}
	args := c.args(1, 0)
	if args == nil {
		return nil
	}
	name, ok := yaql.Open(args[0]).(string)
	if !ok {
		c.misuse("get_param: [NAME, KEY, ...]")
		return nil
	}
	// A path that leads nowhere gives an empty text: heat/engine/hot/functions.py, GetParam.
	return walk(c.parameter(name, c.at.Pos()), args[1:], "")
}

func (c *call) getAttr() any {
	args := c.args(2, 0)
	if args == nil {
		return nil
	}
	resource, ok := yaql.Open(args[0]).(string)
	attr, is := yaql.Open(args[1]).(string)
	if !ok || !is {
		c.misuse("get_attr: [RESOURCE, ATTRIBUTE, KEY, ...]")
		return nil
	}
	return c.attribute(resource, attr, args[2:], c.at.Pos())
}

func (c *call) getFile() any {
	name, ok := yaql.Open(c.value(c.node)).(string)
	if !ok {
		c.misuse("get_file: PATH")
		return nil
	}
	path := c.engine.files.locate(name, c.template.path)
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) && c.engine.placeholders {
		shown := c.engine.files.Name(path)
		c.engine.sink.Warnf(c.at.Pos(), "there is no file %s; a placeholder stands for its text", shown).WithHint("give the whole tree with --templates")
		return "__" + shown + "__\n"
	}
	if err != nil {
		c.fail("cannot read the file "+name+": "+source.Cause(err).Error(), "the path is taken from the template's folder")
		return nil
	}
	return string(data)
}

func (c *call) choose() any {
	items := c.node.Items()
	if len(items) != 2 && len(items) != 3 {
		c.misuse("if: [CONDITION, VALUE, OTHER]")
		return nil
	}
	if c.condition(c.value(items[0]), items[0].Pos()) {
		return c.value(items[1])
	}
	if len(items) == 2 {
		return nil
	}
	return c.value(items[2])
}

// all decides and and or, which look no further than they must.
func (c *call) all() bool {
	items := c.node.Items()
	if len(items) == 0 {
		c.misuse(c.name + ": [CONDITION, CONDITION, ...]")
		return false
	}
	return c.name == "or" == slices.ContainsFunc(items, func(n source.Node) bool {
		return c.condition(c.value(n), n.Pos()) == (c.name == "or")
	})
}

func equal(a, b any) bool { return yaql.Equal(Plain(a), Plain(b)) }

func (c *call) contains(args []any) bool {
	switch in := yaql.Open(args[1]).(type) {
	case []any:
		return slices.ContainsFunc(in, func(v any) bool { return equal(v, args[0]) })
	case *yaql.Map:
		_, ok := in.Get(yaql.Open(args[0]))
		return ok
	case string:
		s, ok := yaql.Open(args[0]).(string)
		return ok && strings.Contains(in, s)
	}
	c.misuse("contains: [VALUE, LIST]")
	return false
}

func (c *call) yaql() any {
	if _, ok := yaql.Open(c.value(c.node)).(*yaql.Map); !ok {
		c.misuse("yaql: {expression: EXPRESSION, data: DATA}")
		return nil
	}
	at := c.node.Get("expression")
	text, ok := yaql.Open(c.value(at)).(string)
	if !ok {
		c.misuse("yaql: {expression: EXPRESSION, data: DATA}")
		return nil
	}
	root := yaql.NewMap()
	root.Set("data", c.field("data"))
	out, err := c.engine.eval(text, root)
	if err != nil {
		message := err.Error()
		if e, ok := errors.AsType[*yaql.Error](err); ok {
			message = e.Message + " at " + excerpt(text, e.Offset)
		}
		c.engine.fail(at.Pos(), "yaql expression can't be evaluated: "+message, "expression: "+strings.Join(strings.Fields(text), " "))
		return nil
	}
	return out
}

func (e *Engine) eval(text string, root any) (any, error) {
	x, ok := e.expressions[text]
	if !ok {
		var err error
		if x, err = yaql.Parse(text); err != nil {
			return nil, err
		}
		e.expressions[text] = x
	}
	return x.Eval(root)
}

// excerpt shows where in an expression something is wrong.
func excerpt(text string, offset int) string {
	rest := strings.Join(strings.Fields(text[min(max(offset, 0), len(text)):]), " ")
	if rest == "" {
		return "its end"
	}
	if len(rest) > 40 {
		rest = strings.ToValidUTF8(rest[:40], "") + "..."
	}
	return strconv.Quote(rest)
}
