package yaql_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/yaql"
)

// different lists where this package does not do as yaql 2.0.0, and why.
func different() map[string]string {
	return map[string]string{
		"set([1],[1])":                          "a set is given as a list, of whatever it holds; Python cannot put a list into one",
		"set($.data.groups.flatten()).where($)": "a set has the order its members came in; Python's is an accident",
		"$.d.items()":                           "a dict's items are given as a list; Python makes a set of them, which holds no lists",
	}
}

type golden struct {
	Expression string          `json:"e"`
	Data       int             `json:"d"` // one of the file's
	Result     json.RawMessage `json:"r"`
	Error      bool            `json:"error"`
	TripleO    bool            `json:"tripleo"` // taken from its templates

	root json.RawMessage
}

func goldens(t testing.TB) []golden {
	t.Helper()
	text, err := os.ReadFile("testdata/cases.json")
	require.NoError(t, err)
	var file struct {
		MadeBy string            `json:"made_by"`
		Data   []json.RawMessage `json:"data"`
		Cases  []golden          `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(text, &file))
	require.NotEmpty(t, file.Cases)
	for i, c := range file.Cases {
		file.Cases[i].root = file.Data[c.Data]
	}
	return file.Cases
}

func TestEverythingIsAsYaqlDoesIt(t *testing.T) {
	skipped, met := different(), map[string]string{}
	for _, c := range goldens(t) {
		t.Run(c.Expression, func(t *testing.T) {
			root := value(t, c.root)
			v, err := evaluate(c.Expression, root)
			reason, differs := skipped[c.Expression]
			var want any
			if !c.Error {
				want = value(t, c.Result)
			}
			same := c.Error == (err != nil) && (err != nil || alike(v, want))
			if differs {
				require.False(t, same, "is as in yaql after all: %s", reason)
				met[c.Expression] = reason
				return
			}
			if c.Error {
				require.Error(t, err, "got %s", show(v))
				return
			}
			require.NoError(t, err)
			require.Equal(t, show(want), show(v))
			require.True(t, same)
		})
	}
	require.Equal(t, skipped, met)
}

func TestEveryExpressionOfTripleOParses(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range goldens(t) {
		if c.TripleO {
			_, err := yaql.Parse(c.Expression)
			require.NoError(t, err, c.Expression)
			seen[c.Expression] = true
		}
	}
	require.Greater(t, len(seen), 100)
}

func evaluate(expression string, root any) (any, error) {
	e, err := yaql.Parse(expression)
	if err != nil {
		return nil, err
	}
	return e.Eval(root)
}

// alike is stricter than Python's equality: true is not 1, 1 is not 1.0, and a dict has its order.
func alike(a, b any) bool { return show(a) == show(b) }

func show(v any) string {
	switch v := yaql.Open(v).(type) {
	case []any:
		s := "["
		for _, e := range v {
			s += show(e) + ","
		}
		return s + "]"
	case *yaql.Map:
		s := "{"
		for k, e := range v.All() {
			if k == nil {
				k = "null" // in JSON a key is a text
			}
			s += fmt.Sprint(k) + ":" + show(e) + ","
		}
		return s + "}"
	default:
		return fmt.Sprintf("%T(%v)", v, v)
	}
}

// value reads JSON with the order of its dicts, and with whole numbers as such.
func value(t testing.TB, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return next(t, d)
}

func next(t testing.TB, d *json.Decoder) any {
	t.Helper()
	token, err := d.Token()
	require.NoError(t, err)
	switch token := token.(type) {
	case json.Number:
		if n, err := token.Int64(); err == nil {
			return n
		}
		f, err := token.Float64()
		require.NoError(t, err)
		return f
	case json.Delim:
		list, m := []any{}, yaql.NewMap()
		for d.More() {
			if token == '[' {
				list = append(list, next(t, d))
				continue
			}
			key := next(t, d)
			m.Set(key, next(t, d))
		}
		_, err := d.Token()
		require.NoError(t, err)
		if token == '[' {
			return list
		}
		return m
	}
	return token
}
