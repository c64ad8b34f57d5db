//! Updates of packages on a real Debian with a repository of the test's own: what is installed, what is taken back, and that dpkg is
//! whole whatever happens. As root; where no Debian can be had, that is told.

mod busy;
mod by_hand;
mod faults;
mod host;
mod review;
mod rpm;
mod terminal;
