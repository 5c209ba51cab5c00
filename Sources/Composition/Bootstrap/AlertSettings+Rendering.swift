import Alerting
import Settings

extension AlertSettings {
    /// As in the configuration; secrets masked.
    func rendered() -> [String] {
        var lines = ["alerts:"]
        let durations: [(String, Duration)] = [
            ("interval", interval), ("period", policy.period), ("escalate_after", policy.escalateAfter),
            ("resolve_after", policy.resolveAfter), ("give_up_after", giveUpAfter),
            ("keep_resolved", keepResolved), ("group_after", policy.groupAfter),
            ("group_age", policy.groupAge), ("venue_silent", policy.venueSilent), ("day_late", policy.dayLate),
            ("refresh_token_age", policy.refreshTokenAge), ("handler_down", policy.handlerDown),
            ("queue_age", policy.queueAge), ("sync_silent", policy.syncSilent), ("reread_silent", policy.rereadSilent),
        ]
        lines += durations.map { "  \($0.0): \(DurationText.render($0.1))" }
        lines += ["  group_count: \(policy.groupCount)", "  budget_percent: \(policy.budgetPercent)",
            "  digest_after: \(policy.digestAfter)"]
        if let hours = policy.quietHours { lines.append("  quiet_hours: \"\(hours)\"") }
        if let timeZoneName { lines.append("  timezone: \(timeZoneName)") }
        guard !channels.isEmpty else { return lines + ["  channels: []  # alerts are logged only"] }
        lines.append("  channels:")
        for channel in channels {
            lines += ["    - name: \(channel.name)", "      kind: \(channel.kind.rawValue)"]
            if channel.isSecondLine { lines.append("      escalations_only: true") }
            if channel.kind == .email {
                lines += [
                    "      server: \(channel.server)", "      from: \(channel.from)",
                    "      to: \"\(channel.to.joined(separator: ", "))\"",
                ]
            }
            let secrets = [
                ("USER and …PASSWORD", channel.credential != nil), ("URL", channel.url != nil),
                ("SIGNING_KEY", channel.signingKey != nil),
            ].filter(\.1).map { "\(channel.variables)\($0.0)" }
            if !secrets.isEmpty { lines.append("      # set: \(secrets.joined(separator: ", "))") }
        }
        return lines
    }
}
