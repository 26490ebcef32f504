package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
)

func TestVersionsAreTakenApart(t *testing.T) {
	for text, want := range map[string]planner.Version{
		"1.10":                {Number: "1.10"},
		"v1.9":                {Number: "1.9"},
		" V2\n":               {Number: "2"},
		"2:1.10-3":            {Epoch: "2", Number: "1.10", Revision: "3"},
		"3:21.2.4-0ubuntu2.8": {Epoch: "3", Number: "21.2.4", Revision: "0.2.8"},
		"1.10~rc1-1":          {Number: "1.10rc1", Revision: "1"},
		"1.10.0-beta.2":       {Number: "1.10.0beta2"},
		"1.10-RC":             {Number: "1.10rc"},
		"1.10b2":              {Number: "1.10b2"},
		"1.0.2k":              {Number: "1.0.2"},
		"1.1.1a":              {Number: "1.1.1"},
		"9.2p1":               {Number: "9.2", Revision: "1"},
		"1.8.0_292":           {Number: "1.8.0", Revision: "292"},
		"1.10+dfsg1":          {Number: "1.10", Revision: "1"},
		"20231216.git":        {Number: "20231216"},
		"10.4.1.2.dev5":       {Number: "10.4.1.2dev5"},
	} {
		got, ok := planner.ParseVersion(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "train", "OpenSSH_9.2", "1.10 of today", "-1", ".5", ":1"} {
		_, ok := planner.ParseVersion(text)
		require.False(t, ok, text)
	}
}
