module ta-bot.internal/examples

go 1.24

require ta-bot.internal/tabot v0.1.0

replace ta-bot.internal/tabot => ../../sdk/go
