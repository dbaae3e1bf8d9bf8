//! The routes of the API, with a module for each part of it. Each route states the role that it needs.

pub(super) mod analysis;
pub(super) mod application;
pub(super) mod config;
pub(super) mod journal;
pub(super) mod modules;
pub(super) mod service;
pub(super) mod strategies;
