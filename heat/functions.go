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

	asked bool // it stands in a condition
}

func (c *call) value(n source.Node) *Value { return &Value{Node: n, stack: c.Stack, asked: c.asked} }

// function tells whether a mapping is a call of a function that the template's version has.
func (s *Stack) function(n source.Node, deciding bool) (name string, arg source.Node, is bool) {
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
	if count == 0 {
		return "", source.Node{}, false
	}
	if deciding && decides(name, s.template.version) {
		return name, arg, true
	}
	since, known := functionSince(name)
	return name, arg, known && s.template.version >= since
}

// functionSince gives the version of templates from which a function is one; before,
// a mapping with such a key is an ordinary value (setup: {filter: ...}).
// https://opendev.org/openstack/heat/src/branch/stable/train/heat/engine/hot/template.py
func functionSince(name string) (string, bool) {
	switch name {
	case "get_param", "get_attr", "get_file", "get_resource", "str_replace", "list_join", "resource_facade":
		return "", true
	case "repeat", "digest":
		return "2015-04-30", true
	case "str_split":
		return "2015-10-15", true
	case "map_merge":
		return "2016-04-08", true
	case "yaql", "map_replace", "if":
		return "2016-10-14", true
	case "filter", "str_replace_strict":
		return "2017-02-24", true
	case "make_url", "list_concat", "list_concat_unique", "contains", "str_replace_vstrict":
		return "2017-09-01", true
	}
	return "", false
}

// decides tells whether a function may stand in a condition, where others are mistakes.
// equals, not, and, or are functions there alone: elsewhere they are ordinary keys.
func decides(name, version string) bool {
	switch name {
	case "get_param", "equals", "not", "and", "or":
		return true
	case "yaql", "contains":
		return version >= "2017-09-01"
	}
	return false
}

// nullable is the version from which an if may have no third part.
const nullable = "2021-04-16"

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
	case "rocky":
		return "2018-08-31"
	case "wallaby":
		return nullable
	case "":
		return "9"
	default:
		return v // a date
	}
}

// pure tells whether a value can stand as it was written: it holds no function, and no
// date, which is a text to Heat and none to Ansible.
func (s *Stack) pure(n source.Node) bool {
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
		_, _, is := s.function(n, false)
		if !is {
			for _, val := range n.Pairs() {
				if is = !s.pure(val); is {
					break
				}
			}
		}
		s.engine.pureness[n] = !is
		return !is
	case source.Scalar:
		return !n.Dated()
	case source.Missing, source.Null:
	}
	return true
}

// omitted tells whether a value is an {if: [condition, value]} whose condition does
// not hold: what it stands for is then not there (Heat since Wallaby).
func (s *Stack) omitted(n source.Node) bool {
	if n.Kind() != source.Map {
		return false
	}
	name, arg, is := s.function(n, false)
	if !is || name != "if" || s.template.version < nullable || arg.Len() != 2 && arg.Len() != 3 {
		return false
	}
	items := arg.Items()
	if holds := s.condition(s.ask(items[0]), items[0].Pos()); holds {
		return s.omitted(items[1])
	}
	return len(items) == 2 || s.omitted(items[2])
}

// apply evaluates a function. What it gives may be a Value that is not opened yet.
func (v *Value) apply(name string, arg source.Node) any {
	s := v.stack
	c := call{s, name, v.Node, arg, v.asked}
	if v.asked && !decides(name, s.template.version) {
		c.fail("Heat takes no "+name+" in a condition", "write equals, not, and, or, get_param, or, since pike, yaql and contains")
		return nil
	}
	switch name {
	case "get_param":
		return c.getParam()
	case "get_attr":
		return c.getAttr()
	case "get_file":
		return c.getFile()
	case "get_resource":
		return c.reference()
	case "if":
		return c.choose()
	case "equals":
		args := c.args(2, 2)
		return args != nil && equal(args[0], args[1])
	case "not":
		return c.not()
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
	return shortened(n.JSON(), 160)
}

// args gives the arguments of a function that takes a list of low to high of them.
func (c *call) args(low, high int) []any {
	var list []any
	ok := true
	switch c.name {
	case "list_join", "filter", "contains", "equals", "get_attr": // Heat takes these apart before it evaluates them
		for _, it := range c.node.Items() {
			list = append(list, c.value(it))
		}
	default:
		list, ok = yaql.Open(c.value(c.node)).([]any)
	}
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
	var args []any
	switch arg := yaql.Open(c.value(c.node)).(type) {
	case []any:
		args = arg
	case string:
		args = []any{arg}
	}
	if len(args) == 0 {
		c.misuse("get_param: NAME, or [NAME, KEY, ...]")
		return nil
	}
	name, ok := yaql.Open(args[0]).(string)
	if !ok || name == "" {
		c.misuse("get_param: [NAME, KEY, ...]")
		return nil
	}
	// A path that leads nowhere gives an empty text: heat/engine/hot/functions.py, GetParam.
	path := args[1:]
	for i, step := range path {
		path[i] = yaql.Open(step)
	}
	return walk(c.parameter(name, c.at.Pos()), path, true)
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

// reference is get_resource, which gives a resource's name where nothing runs yet.
func (c *call) reference() any {
	name, ok := yaql.Open(c.value(c.node)).(string)
	if !ok {
		c.misuse("get_resource: RESOURCE")
		return nil
	}
	if _, ok := c.resource(name, c.at.Pos()); !ok {
		return nil
	}
	return name
}

func (c *call) not() bool {
	if k := c.node.Kind(); k == source.Null || k == source.List {
		c.misuse("not: CONDITION")
		return false
	}
	return !c.condition(c.ask(c.node), c.node.Pos())
}

func (c *call) choose() any {
	items := c.node.Items()
	if len(items) != 3 && (len(items) != 2 || c.template.version < nullable) {
		c.misuse("if: [CONDITION, VALUE, OTHER]")
		return nil
	}
	if c.condition(c.ask(items[0]), items[0].Pos()) {
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
	if len(items) < 2 {
		c.misuse(c.name + ": [CONDITION, CONDITION, ...]")
		return false
	}
	return c.name == "or" == slices.ContainsFunc(items, func(n source.Node) bool {
		return c.condition(c.ask(n), n.Pos()) == (c.name == "or")
	})
}

func equal(a, b any) bool { return yaql.Equal(Plain(a), Plain(b)) }

func (c *call) contains(args []any) bool {
	switch in := yaql.Open(args[1]).(type) {
	case []any:
		return slices.ContainsFunc(in, func(v any) bool { return equal(v, args[0]) })
	case string:
		if s, ok := yaql.Open(args[0]).(string); ok {
			return strings.Contains(in, s)
		}
	}
	c.misuse("contains: [VALUE, LIST]")
	return false
}

func (c *call) yaql() any {
	if _, ok := yaql.Open(c.value(c.node)).(*yaql.Map); !ok {
		c.misuse("yaql: {expression: EXPRESSION, data: DATA}")
		return nil
	}
	for key := range c.node.Pairs() {
		if k := key.Text(); k != "expression" && k != "data" {
			c.misuse("yaql: {expression: EXPRESSION, data: DATA}")
			return nil
		}
	}
	at := c.node.Get("expression")
	text, ok := yaql.Open(c.value(at)).(string)
	if !ok {
		c.misuse("yaql: {expression: EXPRESSION, data: DATA}")
		return nil
	}
	root := yaql.NewMap()
	root.Set("data", yaql.NewMap())
	if d := c.node.Get("data"); d.Exists() {
		root.Set("data", c.value(d))
	}
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
	return firstOf(rest)
}
