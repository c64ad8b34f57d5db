//! Disks of hosts: measured by runs, by daemons and by hand; what is known of them; and a file system that really fills.

mod collecting;
mod filling;
mod running;
