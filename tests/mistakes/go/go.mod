module ta-bot.internal/mistakes

go 1.24

require ta-bot.internal/tabot v0.1.0

replace ta-bot.internal/tabot => ../../../sdk/go
