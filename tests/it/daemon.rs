//! Daemons: what opens when, what is missed and why, and what happens when there are several, or none.

mod clock;
mod health;
mod late;
mod opening;
mod reviews;
mod several;
mod ticks;
