//! Foreign calendars as other readers see them, and our own feed.
