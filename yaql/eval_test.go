package yaql_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/yaql"
)

// box is a caller's value, which tells how often it was looked into.
type box struct {
	value  any
	opened *int
}

func (b *box) Open() any {
	*b.opened++
	return b.value
}

func TestElementsAreCarriedUnopened(t *testing.T) {
	opened := 0
	put := func(v any) *box { return &box{v, &opened} }
	one, two := put("one"), put("two")
	inner := []any{two}
	m := yaql.NewMap()
	m.Set("one", one)
	data := yaql.NewMap()
	data.Set("a", put([]any{one}))
	data.Set("b", put(inner))
	data.Set("nested", []any{put([]any{one}), put(inner)})
	data.Set("dicts", []any{put(m)})
	root := yaql.NewMap()
	root.Set("data", put(data))

	tests := map[string]struct {
		expression string
		want       any
	}{
		"lists added":              {"$.data.a + $.data.b", []any{one, two}},
		"lists chained":            {"$.data.a.concat($.data.b)", []any{one, two}},
		"where":                    {"$.data.a.where($ != null)", []any{one}},
		"select":                   {"$.data.dicts.select($.get(one))", []any{one}},
		"an attribute of each":     {"$.data.dicts.one", []any{one}},
		"an attribute":             {"$.data.dicts[0].one", one},
		"flatten":                  {"$.data.nested.flatten()", []any{one, two}},
		"distinct":                 {"($.data.a + $.data.b + $.data.a).distinct()", []any{one, two}},
		"the first one":            {"$.data.b.first(null)", two},
		"coalesce":                 {"coalesce(null, $.data.b[0])", two},
		"dict of pairs":            {"dict([[k, $.data.a[0]]]).k", one},
		"lists merged":             {"{l => $.data.a}.mergeWith({l => $.data.b}).l", []any{one, two}},
		"groups":                   {"$.data.a.groupBy(1, $).first()[1]", []any{one}},
		"sorted":                   {"($.data.b + $.data.a).orderBy($)", []any{one, two}},
		"through a variable":       {"let(x => $.data.a) -> $x.where($)", []any{one}},
		"chosen by a switch":       {"switch(isList($.data.a) => $.data.a[0], true => [])", one},
		"a whole that is not read": {"$.data.dicts.last()", data.Keys()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := evaluate(test.expression, root)
			require.NoError(t, err)
			if name == "a whole that is not read" {
				require.Implements(t, (*yaql.Lazy)(nil), v)
				return
			}
			if want, ok := test.want.([]any); ok {
				got, ok := v.([]any)
				require.True(t, ok)
				require.Len(t, got, len(want))
				for i := range want {
					require.Same(t, want[i], got[i])
				}
				return
			}
			require.Same(t, test.want, v)
		})
	}
	opened = 0
	_, err := evaluate("$.data.nested.select([$])", root)
	require.NoError(t, err)
	require.Equal(t, 1, opened, "only data is looked into")
}

func TestSetsBecomeListsInTheOrderTheyCame(t *testing.T) {
	tests := map[string]struct{ expression, want string }{
		"set":       {"set(b, a, b)", "[string(b),string(a),]"},
		"union":     {"set(1, 2) + set(3, 2)", "[int64(1),int64(2),int64(3),]"},
		"without":   {"set(1, 2) - set(1)", "[int64(2),]"},
		"intersect": {"set(1, 2).intersect(set(2, 3))", "[int64(2),]"},
		"keys":      {"{b => 1, a => 2}.keys()", "[string(b),string(a),]"},
		"items":     {"{b => 1}.items()", "[[string(b),int64(1),],]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := evaluate(test.expression, nil)
			require.NoError(t, err)
			require.Equal(t, test.want, show(v))
		})
	}
}

func TestAnErrorNamesThePart(t *testing.T) {
	tests := map[string]struct {
		expression string
		offset     int
		message    string
	}{
		"a key that is missing":        {"$.data.nova", 7, "there is no key 'nova'"},
		"an unknown function":          {"1 + nosuch(2)", 4, "there is no function nosuch()"},
		"an unknown method":            {"$.data.nosuch()", 7, "there is no method nosuch()"},
		"arguments that do not fit":    {"len(5)", 0, "len() does not take these arguments: a number"},
		"within a lambda":              {"[1].select($ + a)", 13, "cannot do + with a number and a text"},
		"a quote that is not closed":   {"$ + 'a", 4, "a quote is not closed"},
		"too short":                    {"1 + ", 4, "the expression ends too soon"},
		"a sign that is none":          {"1 ? 2", 2, `cannot read '?'`},
		"a pattern RE2 does not know":  {"regex('a(?=b)')", 0, "not supported: invalid or unsupported Perl syntax"},
		"a pattern that refers back":   {`'aa' =~ '(a)\\1'`, 5, `not supported: \1 refers back to a group`},
		"a result that is no data":     {"regex(a)", 0, "the result holds a regular expression, which is no data"},
		"a context for a result":       {"let(a => 1)", 0, "the result holds a context, which is no data"},
		"a list for a key":             {"{[1] => 2}", 0, "a dict of the result has a list for a key"},
		"a number that is too large":   {"9223372036854775807 + 1", 20, "a number grows too large"},
		"a literal that is too large":  {"9223372036854775808", 0, "number 9223372036854775808 is too large"},
		"a positional after a keyword": {"f(a => 1, 2)", 10, "an argument without a name follows one with a name"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := yaql.NewMap()
			root.Set("data", yaql.NewMap())
			_, err := evaluate(test.expression, root)
			var e *yaql.Error
			require.ErrorAs(t, err, &e)
			require.Contains(t, e.Message, test.message)
			require.Equal(t, test.offset, e.Offset)
		})
	}
}

func TestNoExpressionRunsForEver(t *testing.T) {
	tests := map[string]string{
		"an endless sequence":          "sequence()",
		"an endless sequence summed":   "sequence().sum()",
		"an endless repetition":        "1.repeat()",
		"an endless cycle":             "[1].cycle().len()",
		"a filter that lets none pass": "sequence().where(false).first()",
		"a long text":                  "'aaaaaaaaaa' * 100000000",
		"a text doubled for ever":      "range(60).aggregate($1 + $1, 'a')",
		"a list doubled for ever":      "range(60).aggregate($1 + $1, [1])",
		"a value that holds itself":    "range(60).aggregate([$1, $1], 1)",
		"such a value compared":        "range(60).aggregate([$1, $1], 1) = range(60).aggregate([$1, $1], 1)",
		"such a value for a key":       "[range(60).aggregate([$1, $1], 1)].distinct()",
		"such a value written":         "str(range(60).aggregate([$1, $1], 1))",
		"a tower of lists":             "range(100000).aggregate([$1], 1)",
		"a tower of iterators":         "range(100000).aggregate($1.select($), [1])",
		"a function that calls itself": "def(f, f($)) -> f(1)",
		"a tower of parentheses":       strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000),
		"a tower of signs":             strings.Repeat("-", 100_000) + "1",
		"a very long sum":              strings.Repeat("1+", 100_000) + "1",
		"a long text replaced":         "range(60).aggregate($1.replace(a, aa), 'a')",
		"a wide layout":                "'{0:100000000}'.format(1)",
		"a great power":                "pow(3, 1000000000)",
		"many generated":               "generateMany(1, [$, $])",
	}
	for name, expression := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := evaluate(expression, nil)
			var e *yaql.Error
			require.ErrorAs(t, err, &e)
			require.GreaterOrEqual(t, e.Offset, 0)
			require.LessOrEqual(t, e.Offset, len(expression))
		})
	}
}

func TestAMapKeepsItsOrder(t *testing.T) {
	m := yaql.NewMap()
	for _, k := range []any{"b", int64(1), nil, "a"} {
		m.Set(k, k)
	}
	m.Set(true, "one") // in Python True is 1
	m.Delete("b")
	m.Delete("zz")
	require.Equal(t, []any{int64(1), nil, "a"}, m.Keys())
	v, ok := m.Get(1.0)
	require.True(t, ok)
	require.Equal(t, "one", v)
	require.Equal(t, 3, m.Len())
	n := yaql.NewMap()
	for _, k := range []any{"a", nil, 1.0} {
		v, _ := m.Get(k)
		n.Set(k, v)
	}
	require.True(t, yaql.Equal(m, n))
	require.False(t, yaql.Equal(m, yaql.NewMap()))
	require.True(t, yaql.Equal([]any{true, "a"}, []any{1.0, "a"}))
	require.False(t, yaql.Equal("1", int64(1)))
}

func FuzzEval(f *testing.F) {
	cases := goldens(f)
	for _, c := range cases {
		f.Add(c.Expression)
	}
	root := value(f, cases[0].root)
	f.Fuzz(func(t *testing.T, expression string) {
		v, err := evaluate(expression, root)
		if err == nil {
			require.True(t, yaql.Equal(v, v) || strings.Contains(show(v), "NaN"))
			return
		}
		var e *yaql.Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Message)
		require.GreaterOrEqual(t, e.Offset, 0)
		require.LessOrEqual(t, e.Offset, len(expression))
	})
}

func BenchmarkEval(b *testing.B) {
	list := make([]any, 0, 400)
	for i := range 400 {
		m := yaql.NewMap()
		m.Set("name", strings.Repeat("x", i%50))
		m.Set("tasks", []any{int64(i), int64(i / 2)})
		list = append(list, m)
	}
	data, root := yaql.NewMap(), yaql.NewMap()
	data.Set("a", list)
	root.Set("data", data)
	for _, expression := range []string{
		"$.data.a + $.data.a",
		"$.data.a.where($ != null).select($.get('tasks')).where($ != null).flatten().distinct()",
		"$.data.a.name.distinct()",
	} {
		b.Run(expression, func(b *testing.B) {
			e, err := yaql.Parse(expression)
			require.NoError(b, err)
			for b.Loop() {
				_, err := e.Eval(root)
				require.NoError(b, err)
			}
		})
	}
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			_, err := yaql.Parse("$.data.a.where($ != null).select($.get('tasks')).where($ != null).flatten().distinct()")
			require.NoError(b, err)
		}
	})
}
