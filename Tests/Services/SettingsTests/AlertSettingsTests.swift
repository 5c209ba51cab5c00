import Alerting
import Settings
import Testing

@Suite("The settings of alerts") struct AlertSettingsTests {
    private static let channels = """
        alerts:
          quiet_hours: "22:00-07:00"
          channels:
            - name: duty
              kind: email
              server: smtps://mail.example.com:465
              from: tillbridge@example.com
              to: duty@example.com, night.duty@example.com
            - name: boss
              kind: slack
              escalations_only: true
            - name: on-call
              kind: webhook
        """

    private func load(_ section: String, environment: [String: String] = [:]) throws -> AlertSettings {
        try SettingsExample.load(SettingsExample.yaml + "\n" + section, environment: environment).alerts
    }

    private func problems(_ section: String, environment: [String: String] = [:]) -> [String] {
        SettingsExample.problems(SettingsExample.yaml + "\n" + section, environment: environment).map {
            "\($0.path): \($0.message)"
        }
    }

    @Test("left out are those of the README: no channel, and nobody is woken by what heals within a minute")
    func defaults() throws {
        let alerts = try load("")
        #expect(alerts.channels.isEmpty)
        #expect(alerts.interval == .seconds(30) && alerts.giveUpAfter == .seconds(3 * 86_400))
        #expect(alerts.keepResolved == .seconds(90 * 86_400))
        #expect(alerts.policy.quietHours == nil)
        #expect(alerts.policy.groupAfter == .seconds(60) && alerts.policy.groupCount == 100)
        #expect(alerts.policy.refreshTokenAge == .seconds(50 * 86_400) && alerts.policy.budgetPercent == 80)
        #expect(alerts.policy.rereadSilent == .seconds(6 * 3600))
        #expect(try load("polling: {rescan_interval: 1d}").policy.rereadSilent == .seconds(3 * 86_400))
    }

    @Test("each key is read, and a variable wins over the file")
    func values() throws {
        let keys: [(key: String, WritableKeyPath<AlertPolicy, Duration>)] = [
            ("period", \.period), ("escalate_after", \.escalateAfter), ("resolve_after", \.resolveAfter),
            ("group_after", \.groupAfter), ("group_age", \.groupAge), ("venue_silent", \.venueSilent),
            ("day_late", \.dayLate), ("refresh_token_age", \.refreshTokenAge), ("handler_down", \.handlerDown),
            ("queue_age", \.queueAge), ("sync_silent", \.syncSilent), ("reread_silent", \.rereadSilent),
        ]
        let file = keys.enumerated().map { "  \($1.key): \($0 + 11)m" }.joined(separator: "\n")
        let alerts = try load(
            "alerts:\n\(file)\n  group_count: 7\n  budget_percent: 90\n  interval: 3s\n  give_up_after: 2d\n"
                + "  keep_resolved: 8d")
        for (index, (key, path)) in keys.enumerated() {
            #expect(alerts.policy[keyPath: path] == .seconds((index + 11) * 60), "\(key)")
            let name = "TILLBRIDGE_ALERTS_\(key.uppercased())"
            let other = try load("alerts:\n\(file)", environment: [name: "99s"])
            #expect(other.policy[keyPath: path] == .seconds(99), "\(name)")
        }
        #expect(alerts.policy.groupCount == 7 && alerts.policy.budgetPercent == 90)
        #expect(alerts.interval == .seconds(3) && alerts.giveUpAfter == .seconds(2 * 86_400))
        #expect(alerts.keepResolved == .seconds(8 * 86_400))
        #expect(problems("alerts: {keep_resolved: 6h, period: 7h}") == [
            "alerts.keep_resolved: must not be shorter than `period`"
        ])
        #expect(problems("alerts: {keep_resolved: 7h, period: 7h}").isEmpty)
    }

    @Test("channels have their addresses from the file and their secrets from the environment, which shows none")
    func channelsAndSecrets() throws {
        let alerts = try load(
            Self.channels,
            environment: [
                "TILLBRIDGE_ALERT_DUTY_USER": "tb", "TILLBRIDGE_ALERT_DUTY_PASSWORD": "hush-hush",
                "TILLBRIDGE_ALERT_BOSS_URL": "https://chat.example.com/hook/hush",
                "TILLBRIDGE_ALERT_ON_CALL_URL": "https://calls.example.com/hush",
            ])
        let (duty, boss, call) = (alerts.channels[0], alerts.channels[1], alerts.channels[2])
        #expect(duty.to == ["duty@example.com", "night.duty@example.com"] && duty.credential?.user == "tb")
        #expect(duty.missing.isEmpty && !duty.isSecondLine)
        #expect(boss.isSecondLine && boss.url?.revealed == "https://chat.example.com/hook/hush")
        // What it lacks is told by the processes that send; the others need none of it.
        #expect(call.missing == ["TILLBRIDGE_ALERT_ON_CALL_SIGNING_KEY"])
        #expect("\(alerts.policy.quietHours.map(\.description) ?? "")" == "22:00-07:00")
        var shown = "\(alerts)" + String(reflecting: alerts)
        dump(alerts, to: &shown)
        #expect(!shown.contains("hush"))
    }

    @Test(
        "what is wrong with them is told with its place",
        arguments: [
            ("quiet_hours: 25:00-07:00", "alerts.quiet_hours", "hours such as 22:00-07:00"),
            ("period: 0s", "alerts.period", "at least 1s"), ("interval: soon", "alerts.interval", "soon"),
            ("budget_percent: 101", "alerts.budget_percent", "100"),
            ("timezone: Mars/Olympus", "alerts.timezone", "no time zone"),
            ("silent_after: 1h", "alerts.silent_after", "not known"),
            ("channels: [{name: x}]", "alerts.channels[0].kind", "one of email, slack, webhook"),
            ("channels: [{name: x, kind: pigeon}]", "alerts.channels[0].kind", "one of email, slack, webhook"),
            ("channels: [{name: x, kind: slack}, {name: X, kind: slack}]", "alerts.channels[1].name", "X"),
            ("channels: [{name: x, kind: email, from: a@b, to: c@d}]", "alerts.channels[0].server", "missing"),
            (
                "channels: [{name: x, kind: email, server: \"http://m\", from: a@b, to: c@d}]",
                "alerts.channels[0].server", "smtps://host:465"
            ),
            (
                "channels: [{name: x, kind: email, server: \"smtp://m:587\", from: a@b, to: c}]",
                "alerts.channels[0].to", "not an address"
            ),
        ])
    func wrong(_ line: String, _ path: String, _ words: String) {
        let found = problems("alerts:\n  " + line)
        #expect(found.contains { $0.hasPrefix(path + ": ") && $0.contains(words) }, "\(found)")
    }

    @Test("two channels may not share their variables, and a secret that cannot be one is told without showing it")
    func secretsThatCannotBe() {
        let twins = "alerts:\n  channels: [{name: on-call, kind: slack}, {name: on_call, kind: slack}]"
        let either = problems(twins) + problems(twins.replacing("on_call", with: "on-call"))
        #expect(either.contains { $0.contains("two channels have the variables") }, "\(either)")
        let found = problems(
            Self.channels,
            environment: [
                "TILLBRIDGE_ALERT_DUTY_USER": "tb", "TILLBRIDGE_ALERT_BOSS_URL": "http://chat.example.com/hush",
                "TILLBRIDGE_ALERT_ON_CALL_URL": "https://calls.example.com/",
                "TILLBRIDGE_ALERT_ON_CALL_SIGNING_KEY": "hush",
            ])
        #expect(found.contains { $0.contains("DUTY_USER and …_PASSWORD are set together") })
        #expect(found.contains { $0.contains("ALERT_BOSS_URL is not an https:// address") })
        #expect(found.contains { $0.contains("ALERT_ON_CALL_SIGNING_KEY has fewer than 16 characters") })
        #expect(found.allSatisfy { !$0.contains("hush") })
    }
}
