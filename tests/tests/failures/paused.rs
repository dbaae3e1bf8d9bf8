//! A service whose process is paused in the middle of evaluations.

use std::time::Duration;

use ta_bot_tests::{app::share_compiled, replicas::Replica, until};

use super::strategies;

/// A strategy that is evaluated nearly all the time, so that a pause finds it at work.
const SLOW: &str = "takes_its_time";
/// Longer than the limit of an evaluation.
const PAUSE: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn evaluations_that_a_pause_interrupts_are_finished_and_count_as_no_failures() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    share_compiled(&data).unwrap();
    let variables = [
        ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
        ("DATA_DIR", data.display().to_string()),
        ("STRATEGIES_DIR", strategies(folder.path(), &["rsi"], &[SLOW]).display().to_string()),
        ("SUPPORTED_SYMBOLS", "BTCUSDT".to_owned()),
        ("SUPPORTED_TIMEFRAMES", "5m".to_owned()),
        ("STRATEGY_TIMEOUT_MS", "1000".to_owned()),
        ("STRATEGY_SLOW_MS", "0".to_owned()),
        ("LOG_LEVEL", "warn".to_owned()),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut service = Replica::new(folder.path(), variables);
    service.start_with(&["--simulate", "--simulate-every-ms", "50"]).await;
    let of_slow = format!("strategy=\"{SLOW}\"");
    let executions = async || service.metric("ta_bot_strategy_executions_total", &of_slow).await;
    let starved = async || service.metric("ta_bot_strategy_starved_total", &of_slow).await;
    let goes_on = async || {
        let before = executions().await;
        until(Duration::from_mins(1), async || service.log_tail(), async || executions().await >= before + 2.0).await;
    };
    goes_on().await;
    for _ in 0..20 {
        service.signal("STOP").await;
        tokio::time::sleep(PAUSE).await;
        service.signal("CONT").await;
        goes_on().await;
        if starved().await >= 2.0 {
            break;
        }
    }
    assert!(starved().await >= 2.0, "no pause found an evaluation under way: {}", service.log_tail());
    let answered = r#"status="success",strategy="takes_its_time""#;
    let all = executions().await;
    assert_eq!(service.metric("ta_bot_strategy_failures_total", &of_slow).await, 0.0, "{}", service.log_tail());
    assert_eq!(service.metric("ta_bot_strategy_left_out_total", &of_slow).await, 0.0);
    assert!(service.metric("ta_bot_strategy_executions_total", answered).await >= all);
    assert!(service.terminate().await.success(), "{}", service.log_tail());
}
