//! placeholder
use crate::shell::Profile;
/// x
#[derive(clap::Args)]
pub struct Options {}
/// x
pub fn run(_: &Options) -> anyhow::Result<()> {
    Ok(())
}
/// x
pub fn check(_: Profile) -> anyhow::Result<()> {
    Ok(())
}
