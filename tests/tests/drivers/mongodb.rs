//! Tests of configuration and modules on MongoDB.
