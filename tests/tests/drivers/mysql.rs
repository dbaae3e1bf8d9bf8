//! Tests of candles and outbox on MySQL.
