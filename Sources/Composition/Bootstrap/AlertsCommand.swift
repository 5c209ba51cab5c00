import Alerting
import ArgumentParser
import Domain
import FoundationEssentials
import JSON
import Messaging
import Notices
import Settings
import Store

/// `tillbridge alerts`: what a person is needed for, when to be left alone, and whether messages arrive.
struct AlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts", abstract: "What a person is needed for; mutes; a test message.",
        subcommands: [ListAlertsCommand.self, MuteAlertsCommand.self, UnmuteAlertsCommand.self, TestAlertsCommand.self],
        defaultSubcommand: ListAlertsCommand.self)
}

struct ListAlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists open alerts with the command for each, and the mutes in effect.")

    @OptionGroup var options: WorkerOptions
    @Flag(help: "The latest resolved ones too.")
    var all = false
    @Flag(help: "One JSON object a line, for machines.")
    var json = false

    func run() async throws {
        try await OperatorDesk.with(options) { desk in
            let alerts = try await desk.store.listedAlerts(closedToo: all)
            let clock = desk.settings.alerts.policy.clock
            if json { return printLines(alerts.map { Self.jsonLine($0) }) }
            var lines = alerts.isEmpty ? ["no alert is open"] : []
            for alert in alerts { lines += Self.lines(alert, clock) }
            for mute in try await desk.store.keptMutes(at: LiveClock.clock.now()) {
                let what = mute.mute.key ?? mute.mute.kind?.rawValue ?? "everything"
                let whose = mute.mute.organisation.map { " of \($0)" } ?? ""
                lines.append(
                    "mute \(mute.id): \(what)\(whose) until \(clock.text(mute.mute.until, of: nil)), by \(mute.author)"
                        + ": \(mute.reason)")
            }
            printLines(lines)
        }
    }

    private static func lines(_ alert: PostgresStore.ListedAlert, _ clock: PlaceClock) -> [String] {
        let concern = alert.concern
        let since = clock.text(concern.since ?? alert.openedAt, of: concern.organisation)
        var facts = "since \(since)"
        if let count = concern.count { facts += ", \(count)" }
        if let amount = concern.amount { facts += ", \(amount)" }
        if let resolved = alert.resolvedAt {
            facts += ", resolved \(clock.text(resolved, of: concern.organisation))"
        } else if alert.escalatedAt != nil {
            facts += ", escalated"
        }
        var lines = ["\(concern.key): \(concern.title) – \(concern.place) (\(facts))", "    \(concern.cause)"]
        if alert.resolvedAt == nil { lines += ["    \(concern.remedy)", "    $ \(concern.command)"] }
        if alert.undelivered > 0 {
            let why = alert.error.map { ", the last attempt: \($0)" } ?? ""
            let messages = alert.undelivered == 1 ? "1 message" : "\(alert.undelivered) messages"
            let over = alert.givenUp > 0 ? ", \(alert.givenUp) of them given up" : ""
            lines.append("    \(messages) not delivered\(over)\(why)")
        }
        return lines
    }

    private static func jsonLine(_ alert: PostgresStore.ListedAlert) -> String {
        var writer = JSONWriter()
        writer.object { object in
            object.field("alert", alert.id)
            object.field("key", alert.concern.key)
            object.field("kind", alert.concern.kind.rawValue)
            object.field("organisation", alert.concern.organisation?.text ?? "")
            object.field("place", alert.concern.place)
            object.field("title", alert.concern.title)
            object.field("cause", alert.concern.cause)
            object.field("since", (alert.concern.since ?? alert.openedAt).description)
            object.field("count", alert.concern.count ?? 0)
            object.field("amount", alert.concern.amount ?? "")
            object.field("remedy", alert.concern.remedy)
            object.field("command", alert.concern.command)
            object.field("resolved", alert.resolvedAt?.description ?? "")
            object.field("escalated", alert.escalatedAt != nil)
            object.field("undelivered", alert.undelivered)
            object.field("given_up", alert.givenUp)
            object.field("error", alert.error ?? "")
        }
        return writer.text
    }
}

struct MuteAlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mute",
        abstract: "For some time nobody is told. What still stands afterwards is told then.")

    @OptionGroup var options: WorkerOptions
    @Option(name: .customLong("for"), help: "How long, such as 30m, 2h or 1d; at most 31d.")
    var duration: String
    @Option(help: "Only this alert: its key, as `alerts list` shows it.")
    var alert: String?
    @Option(help: "Only this kind, such as venue_silent.")
    var kind: AlertKind?
    @Option(help: "Only this organisation's key.")
    var organisation: String?
    @Option(help: "Who says so. Else the user's name of this session.")
    var by: String?
    @Option(help: "Why, for those who wonder.")
    var reason = "maintenance"

    private static let longest = Duration.seconds(31 * 86_400)

    func run() async throws {
        guard let span = DurationText.parse(duration), span > .zero, span <= Self.longest else {
            throw ValidationError("--for `\(duration)` is not a time such as 30m, 2h or 1d, at most 31d")
        }
        let environment = ProcessInfo.processInfo.environment
        guard let author = by ?? environment["USER"] ?? environment["LOGNAME"], !author.isEmpty else {
            throw ValidationError("say who mutes, by --by NAME: it is kept")
        }
        try await OperatorDesk.with(options) { desk in
            if let organisation, desk.settings.organisation(OrganisationKey(organisation)) == nil {
                throw StartError("no organisation has the key `\(organisation)`")
            }
            let until = LiveClock.clock.now().adding(span)
            try await desk.store.mute(
                Mute(
                    kind: kind, organisation: organisation.map { OrganisationKey($0) }, key: alert, until: until),
                author: author, reason: reason)
            let what = alert ?? kind?.rawValue ?? (organisation == nil ? "everything" : "everything of it")
            printLines(["muted until \(desk.settings.alerts.policy.clock.text(until, of: nil)): \(what)"])
        }
    }
}

struct UnmuteAlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "unmute", abstract: "Ends one mute, or all of them.")

    @OptionGroup var options: WorkerOptions
    @Argument(help: "The mute's number; left out, all.")
    var id: Int64?

    func run() async throws {
        try await OperatorDesk.with(options) { desk in
            let count = try await desk.store.unmute(id, at: LiveClock.clock.now())
            printLines(["\(count) \(count == 1 ? "mute" : "mutes") ended"])
            if count == 0, id != nil { throw ExitCode(3) }
        }
    }
}

struct TestAlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Sends a test message on every channel and says which arrived.",
        discussion: "Exit status: 0 all arrived; 1 one did not; 3 no channel is configured.")

    @OptionGroup var options: WorkerOptions
    @Option(help: "Only this channel.")
    var channel: String?

    func run() async throws {
        try await OperatorDesk.with(options) { desk in
            var (channels, unusable) = LiveAlerts.channels(desk.settings, http: desk.http)
            if let channel {
                channels.removeAll { $0.name != channel }
                unusable.removeAll { !$0.contains(" \(channel) ") }
            }
            guard !channels.isEmpty || !unusable.isEmpty else {
                printLines(["no channel is configured under alerts.channels: alerts are logged only"])
                throw ExitCode(3)
            }
            var failed = !unusable.isEmpty
            printLines(unusable)
            let now = LiveClock.clock.now()
            let text = AlertText(
                ToldAlert(
                    Notice(.opened, ordinal: 1, notBefore: now), alert: 0,
                    Concern(
                        .queueAge, subject: "test", place: "the fleet", title: "a test message",
                        cause: "Somebody ran `tillbridge alerts test`.", remedy: "Nothing: it arrived.",
                        command: "tillbridge alerts list"),
                    openedAt: now), clock: desk.settings.alerts.policy.clock)
            for channel in channels {
                let delivery = AlertDelivery(
                    id: 0, channel: channel.name, notice: "opened", subject: text.subject, body: text.body,
                    payload: text.payload, attempts: 1, createdAt: now)
                do {
                    try await channel.send(delivery, now: now.secondsSince1970)
                    printLines(["\(channel.name): arrived"])
                } catch {
                    failed = true
                    printLines(["\(channel.name): \(error)"])
                }
            }
            if failed { throw ExitCode(1) }
        }
    }
}

extension AlertKind: ExpressibleByArgument {}
