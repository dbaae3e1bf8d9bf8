module ta-bot.internal/tabot

go 1.24
