import AlertWork
import HTTP
import Logging
import Notices
import ServiceLifecycle
import Settings

/// The ways to people, made of the settings.
enum LiveAlerts {
    /// - Returns: the channels that can be used, and of each other one what it lacks.
    static func channels(_ settings: Settings, http: HTTPClient) -> (usable: [any NoticeChannel], unusable: [String]) {
        var usable: [any NoticeChannel] = []
        var unusable: [String] = []
        for channel in settings.alerts.channels {
            guard channel.missing.isEmpty else {
                let names = channel.missing.joined(separator: " and ")
                unusable.append("the alert channel \(channel.name) cannot be used: \(names) not set (or …_FILE)")
                continue
            }
            switch channel.kind {
            case .email:
                if let mail = MailChannel(channel, trustedCertificates: settings.connections.trustedCertificates) {
                    usable.append(mail)
                } else {
                    unusable.append("the alert channel \(channel.name) has no server address: `\(channel.server)`")
                }
            case .slack:
                guard let url = channel.url else { continue }
                usable.append(WebhookChannel(name: channel.name, url: url, form: .slack, http: http))
            case .webhook:
                guard let url = channel.url, let key = channel.signingKey else { continue }
                usable.append(WebhookChannel(name: channel.name, url: url, form: .signed(key), http: http))
            }
        }
        return (usable, unusable)
    }
}

extension LiveParts {
    /// - Parameter isSpare: comes in only when no dead-letter handler is left.
    func alerts(isSpare: Bool) -> any Service {
        let (channels, unusable) = LiveAlerts.channels(settings, http: http)
        for reason in unusable where !isSpare { logger.error("\(reason)") }
        return AlertService(
            settings: settings.alerts, isSpare: isSpare, store: store,
            look: AlertLook(settings: settings, store: store, broker: broker), channels: channels, clock: clock,
            metrics: metrics, logger: logger)
    }
}
