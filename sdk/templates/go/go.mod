module strategy.internal/my_strategy

go 1.24

require ta-bot.internal/tabot v0.1.0

// The SDK comes with the project.
replace ta-bot.internal/tabot => ./sdk
