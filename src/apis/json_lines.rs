//! JSON with one value on each line.

/// The text with line breaks and indentation. Values are spelled as they were: numbers and escapes
/// do not change.
pub(super) fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let mut chars = json.chars().peekable();
    while let Some(char) = chars.next() {
        if in_string {
            out.push(char);
            in_string = char != '"' || is_escaped;
            is_escaped = char == '\\' && !is_escaped;
            continue;
        }
        match char {
            ' ' | '\t' | '\r' | '\n' => {}
            '"' => {
                in_string = true;
                out.push(char);
            }
            '{' | '[' => {
                out.push(char);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = chars.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(char);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            char => out.push(char),
        }
    }
    out.push('\n');
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_are() {
        let text = r#"{"b":1.10e3,"a":[ ],"c":[1,{"d":"x: [\"\\"}],"e":{},"f":"\u00e4"}"#;
        let expected = "\
{
  \"b\": 1.10e3,
  \"a\": [],
  \"c\": [
    1,
    {
      \"d\": \"x: [\\\"\\\\\"
    }
  ],
  \"e\": {},
  \"f\": \"\\u00e4\"
}
";
        assert_eq!(pretty(text), expected);
        assert_eq!(pretty(expected), expected);
    }
}
