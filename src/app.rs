//! The roles that a process can play; joins edges and domain.

pub mod acceptance;
pub mod calendar;
pub mod capacity;
pub mod cli;
pub mod console;
pub mod controller;
pub mod daemon;
pub mod demo;
pub mod mailer;
pub mod period;
pub mod post;
pub mod progress;
pub mod rehearsal;
pub mod review;
pub mod web;
