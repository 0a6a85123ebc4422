# A text as HCL has it: quoted, and nothing in it is taken for HCL.
#
# `$` and `%` begin templates in HCL when a brace follows. They are written as
# their code points, which is unambiguous however many of them there are.
#
# @param text what is to be quoted; of control characters, tabs and ends of lines at most
# @return the quoted text
function drover::hcl(Pattern[/\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\z/] $text) >> String {
  $escaped = [
    ['\\\\', '\\\\\\\\'],
    ['"', '\\\\"'],
    ['\n', '\\n'],
    ['\r', '\\r'],
    ['\t', '\\t'],
    ['\\$', '\\u0024'],
    ['%', '\\u0025'],
  ].reduce($text) |$sofar, $pair| {
    regsubst($sofar, $pair[0], $pair[1], 'G')
  }
  "\"${escaped}\""
}
