//! The words of zypper, as `zypper.sh` asks for them.

use super::Sections;
use crate::domain::packages::{Change, Obstacle, Survey};

/// Reads the sections of a survey.
pub(super) fn survey(_sections: &Sections) -> Result<Survey, Obstacle> {
    Err(Obstacle::NoManager)
}

/// Reads what a simulated installation would do.
pub(super) fn transaction(_text: &str, _sections: &Sections) -> Result<Vec<Change>, Obstacle> {
    Err(Obstacle::NoManager)
}
