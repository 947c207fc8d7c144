//! The manual page of `pvm run`, for man(1), made from the table of its options.

use super::flags::{self, Effect, Flag, Group, Scope, dashed};

/// The page, in the language of man pages.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (group, heading) in Group::ALL {
        page += &format!(".SS {}\n", text(heading));
        for flag in flags::all().filter(|flag| flag.group == group) {
            page += &option(flag);
        }
    }
    page + TAIL
}

fn option(flag: &Flag) -> String {
    let names: Vec<_> = flag.names.iter().map(|name| name_of(name)).collect();
    let values: String = flag
        .values
        .iter()
        .map(|it| format!(" \\fI{}\\fR", text(it)))
        .collect();
    let words = match (&flag.effect, flag.scope) {
        (Effect::Refused(why), _) => format!("Refused: {}.", text(why)),
        (Effect::None, _) => format!("{}. (No effect.)", text(flag.help)),
        (Effect::Notes(_), Scope::Job) => format!("{}. For the whole job.", text(flag.help)),
        (Effect::Notes(_), _) => format!("{}.", text(flag.help)),
    };
    format!(".TP\n{}{values}\n{words}\n", names.join(", "))
}

fn name_of(name: &str) -> String {
    format!("\\fB{}\\fR", text(&dashed(name)))
}

/// What would be taken for a command is made a text.
fn text(text: &str) -> String {
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq");
    match text.starts_with('.') {
        true => format!("\\&{text}"),
        false => text,
    }
}

const HEAD: &str = include_str!("manual/head.1");
const TAIL: &str = include_str!("manual/tail.1");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_every_option_is_there() {
        let page = page();
        for name in flags::all().flat_map(|flag| flag.names) {
            assert!(page.contains(&name_of(name)), "{name}");
        }
    }

    #[test]
    fn nothing_is_taken_for_a_command() {
        assert_eq!(text(".hidden 'x' a-b"), "\\&.hidden \\(aqx\\(aq a\\-b");
        for line in page().lines().filter(|line| line.starts_with(['.', '\''])) {
            let known = [
                ".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi", ".B", ".I", ".BR", ".RB", ".IR",
                ".RI", ".br", ".so",
            ];
            let first = line.split(' ').next().unwrap();
            assert!(known.contains(&first), "{line}");
        }
    }
}
