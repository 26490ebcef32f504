package heat

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsAskedAgainIsNotWholeTheSecondTimeEither(t *testing.T) {
	for _, body := range []string{
		`{get_param: Txt}`, `{if: [is_abd, 1, 2]}`, `{get_attr: [Child, nope]}`, `{get_attr: [Self, value]}`, `{list_join: [1, [a]]}`,
		`{get_attr: [Broken, x]}`, `{get_attr: [Chain, nope]}`,
	} {
		all := files(body)
		all["main.yaml"] = strings.Replace(all["main.yaml"], "resources:\n", "resources:\n  Broken: {type: ./none.yaml}\n", 1)
		e, s, sink := stackOf(t, tree(t, all), false)
		for range 3 {
			require.False(t, e.Watch(func() { v, _, _ := s.Output("out"); jsonOf(v) }), body)
			require.Len(t, sink.Problems(), 1, body)
		}
	}
}

func TestOutsideOfAWatchEveryProblemIsTold(t *testing.T) {
	_, s, sink := stackOf(t, tree(t, files(`[{get_param: A}, {get_param: B}, {get_attr: [Child, nope]}]`)), false)
	v, _, _ := s.Output("out")
	jsonOf(v)
	require.Len(t, sink.Problems(), 3)
}

func TestValuesOfOneStackAreNotThoseOfAnother(t *testing.T) {
	root := tree(t, map[string]string{
		"main.yaml":  "heat_template_version: wallaby\nresources:\n  A: {type: ./child.yaml, properties: {P: a}}\n  B: {type: ./child.yaml, properties: {P: b, L: [x, 'y,z']}}\n  C: {type: ./child.yaml, properties: {P: {if: [false, c]}}}\noutputs:\n  out: {value: [{get_attr: [A, o]}, {get_attr: [B, o]}, {get_attr: [C, o]}]}\n",
		"child.yaml": "heat_template_version: wallaby\nparameters:\n  P: {type: string, default: own}\n  L: {type: comma_delimited_list, default: ''}\nconditions:\n  is_a: {equals: [{get_param: P}, a]}\nresources:\n  V: {type: OS::Heat::Value, properties: {value: {p: {get_param: P}, l: {get_param: L}}}}\noutputs:\n  o: {value: {a: {if: [is_a, 1, 2]}, v: {map_merge: [{get_attr: [V, value]}, {q: 1}]}}}\n",
	})
	_, s, sink := stackOf(t, root, false)
	v, _, _ := s.Output("out")
	require.JSONEq(t, `[{"a": 1, "v": {"l": [], "p": "a", "q": 1}}, {"a": 2, "v": {"l": ["x", "y", "z"], "p": "b", "q": 1}}, {"a": 2, "v": {"l": [], "p": "own", "q": 1}}]`, jsonOf(v))
	require.Empty(t, sink.Problems())
}

// Values made of each other twice over double on every floor.
func TestWhatGrowsWithoutEndIsGivenUp(t *testing.T) {
	for name, value := range map[string]string{
		"lists":  `[{get_attr: [V%, value]}, {get_attr: [V%, value]}]`,
		"concat": `{list_concat: [[a], {get_attr: [V%, value]}, {get_attr: [V%, value]}]}`,
		"unique": `{list_concat: [[{list_concat_unique: [{get_attr: [V%, value]}]}], [a], {get_attr: [V%, value]}, {get_attr: [V%, value]}]}`,
		"text":   `{list_join: ['', [{str_replace: {template: 'a-a', params: {a: {get_attr: [V%, value]}}}}]]}`,
		"join":   `{list_join: ['', [a, {get_attr: [V%, value]}, {get_attr: [V%, value]}]]}`,
		"yaql":   `{yaql: {expression: '$.data + $.data', data: [{get_attr: [V%, value]}]}}`,
		"repeat": `{repeat: {template: {a: {get_attr: [V%, value]}, x: x}, for_each: {x: [c, d]}}}`,
		"equal":  `[{if: [{contains: [a, [a]]}, {get_attr: [V%, value]}]}, {get_attr: [V%, value]}]`,
	} {
		start := "[a]"
		if name == "text" || name == "join" {
			start = "a"
		}
		text := "heat_template_version: wallaby\nresources:\n  V0: {type: OS::Heat::Value, properties: {value: " + start + "}}\n"
		for i := range 60 {
			text += "  V" + strconv.Itoa(i+1) + ": {type: OS::Heat::Value, properties: {value: " + strings.ReplaceAll(value, "%", strconv.Itoa(i)) + "}}\n"
		}
		text += "outputs:\n  out: {value: {get_attr: [V60, value]}}\n"
		e, s, sink := stackOf(t, tree(t, map[string]string{"main.yaml": text}), false)
		e.worked = mostWork - 1<<20 // what is left takes no seconds
		whole := e.Watch(func() { v, _, _ := s.Output("out"); Plain(v) })
		require.False(t, whole, name)
		require.Len(t, sink.Problems(), 1, name)
		require.Positive(t, sink.Problems()[0].Line, name)
	}
}
