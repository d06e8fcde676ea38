//! `racy completions` and `racy man`: written by clap's own crates from the command line as it is
//! parsed, so that neither can fall behind it.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::terminal::print;
use super::{Arguments, CommandResult};

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell that reads the script.
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self) -> CommandResult {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "racy", &mut script);
        print(&String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The command to describe, e.g. account add [default: the program itself].
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
}

impl ManArgs {
    pub(super) fn run(self) -> CommandResult {
        print(&manual_page(&self.path)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The manual page of a command, in roff. The path of the program itself is empty.
fn manual_page(path: &[String]) -> Result<String, Box<dyn std::error::Error>> {
    let mut program = Arguments::command();
    // Gives each command the name that its page has, e.g. racy-account-add.
    program.build();
    let mut command = &program;
    for name in path {
        command = command
            .find_subcommand(name)
            .ok_or_else(|| format!("there is no command {}", path.join(" ")))?;
    }
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(String::from_utf8(page)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of a command's subcommands, at every depth.
    fn names_below(command: &clap::Command) -> Vec<String> {
        let mut names = Vec::new();
        for subcommand in command.get_subcommands() {
            names.push(subcommand.get_name().to_owned());
            names.extend(names_below(subcommand));
        }
        names
    }

    #[test]
    fn a_completion_script_names_every_command() {
        let names = names_below(&Arguments::command());
        assert!(names.iter().any(|name| name == "createsuperuser"));
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "racy", &mut script);
            let script = String::from_utf8(script).unwrap();
            for name in &names {
                assert!(script.contains(name.as_str()), "{shell} lacks {name}");
            }
        }
    }

    #[test]
    fn the_manual_page_names_every_command() {
        let page = manual_page(&[]).unwrap();
        for command in Arguments::command().get_subcommands() {
            let name = format!("racy\\-{}(1)", command.get_name());
            assert!(page.contains(&name), "no {name} in\n{page}");
        }
    }

    #[test]
    fn each_command_has_a_manual_page() {
        let page = manual_page(&["account".to_owned(), "add".to_owned()]).unwrap();
        assert!(page.contains("opening\\-balance"), "{page}");
        let complaint = manual_page(&["account".to_owned(), "close".to_owned()]).unwrap_err();
        assert_eq!(complaint.to_string(), "there is no command account close");
    }
}
