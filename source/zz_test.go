package source
import ("testing";"fmt";"os";"regexp")
func TestZZ(t *testing.T){
  src,_ := os.ReadFile("/tmp/probe/main_test.go")
  for _, m := range regexp.MustCompile(`(?m)^  ("(?:[^"\\]|\\.)*"(?:, "(?:[^"\\]|\\.)*")*),$`).FindAllSubmatch(src,-1) {
    for _, q := range regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).FindAll(m[1],-1) {
    var s string; fmt.Sscanf(string(q), "%q", &s)
    var sink Sink
    Parse(File{"f.yaml", []byte(s)}, &sink)
    fmt.Printf("%q\n     %v\n", s, sink.Problems())
  }}
}
