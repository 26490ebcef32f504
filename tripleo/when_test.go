package tripleo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStepsAreReadOutOfConditions(t *testing.T) {
	for text, want := range map[string]struct {
		steps []int
		rest  string
	}{
		"step|int == 1":                                  {[]int{1}, ""},
		"(step | int) == 3":                              {[]int{3}, ""},
		"(step|int) == 1":                                {[]int{1}, ""},
		"((step | int) == 3)":                            {[]int{3}, ""},
		"step == '2'":                                    {[]int{2}, ""},
		`step == "2"`:                                    {[]int{2}, ""},
		"2 == step|int":                                  {[]int{2}, ""},
		"step|int in [1, 3]":                             {[]int{1, 3}, ""},
		"step in ('1', '3')":                             {[]int{1, 3}, ""},
		"step|int not in [0,1,2]":                        {[]int{3, 4, 5}, ""},
		"step|int >= 4":                                  {[]int{4, 5}, ""},
		"3 < step|int":                                   {[]int{4, 5}, ""},
		"step|int != 0":                                  {[]int{1, 2, 3, 4, 5}, ""},
		"not step|int == 0":                              {[]int{1, 2, 3, 4, 5}, ""},
		"not (step|int == 0 or step|int == 1)":           {[]int{2, 3, 4, 5}, ""},
		"step|int == 0 or step|int == 3":                 {[]int{0, 3}, ""},
		"(step|int == 0 or step|int == 3) and a.b":       {[]int{0, 3}, "a.b"},
		"a and step|int == 2 and b":                      {[]int{2}, "a and b"},
		"step|int == 2 and (a or b)":                     {[]int{2}, "(a or b)"},
		"step|int == 2 or a":                             {[]int{0, 1, 2, 3, 4, 5}, "step|int == 2 or a"},
		"(step|int == 1 and a) or (step|int == 2 and b)": {[]int{1, 2}, "(step|int == 1 and a) or (step|int == 2 and b)"},
		"step|int == 1 and (step|int == 2 or a)":         {[]int{1}, "a"},
		"a == 'step|int == 1'":                           {[]int{0, 1, 2, 3, 4, 5}, "a == 'step|int == 1'"},
		"step|int == other":                              {[]int{0, 1, 2, 3, 4, 5}, "step|int == other"},
		"('tasks_' ~ step) is defined":                   {[]int{0, 1, 2, 3, 4, 5}, "('tasks_' ~ (step|string)) is defined"},
		"step|int == 1 if a else b":                      {[]int{0, 1, 2, 3, 4, 5}, "step|int == 1 if a else b"},
		"step|int == 6":                                  {nil, ""},
		"ansible_facts['a or b'] and step|int==4":        {[]int{4}, "ansible_facts['a or b']"},
		"x not in y":                                     {[]int{0, 1, 2, 3, 4, 5}, "x not in y"},
		"first_step|int == 2":                            {[]int{0, 1, 2, 3, 4, 5}, "first_step|int == 2"},
		"step.x == 2":                                    {[]int{0, 1, 2, 3, 4, 5}, "step.x == 2"},
		"a or step == '2'":                               {[]int{0, 1, 2, 3, 4, 5}, "a or step|int == 2"},
		"a or not step in ['2', '3']":                    {[]int{0, 1, 2, 3, 4, 5}, "a or not (step|int in [2, 3])"},
		"a or (step == 2 and b)":                         {[]int{0, 1, 2, 3, 4, 5}, "a or step|int == 2 and b"},
		"step in '23'":                                   {[]int{0, 1, 2, 3, 4, 5}, "(step|string) in '23'"},
		"x is version(step, '==')":                       {[]int{0, 1, 2, 3, 4, 5}, "x is version((step|string), '==')"},
		"false":                                          {[]int{0, 1, 2, 3, 4, 5}, "false"},
	} {
		c := parseCondition(text)
		var steps []int
		var all []facts
		for step := range 6 {
			if c.under(facts{step: step}) != never {
				steps = append(steps, step)
				all = append(all, facts{step: step})
			}
		}
		require.Equal(t, want.steps, steps, text)
		if len(all) > 0 {
			require.Equal(t, want.rest, c.rest(all), text)
		}
	}
}
