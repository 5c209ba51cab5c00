import Crypto
import Foundation
import JSON
import Peers
import Testing

@testable import FleetHarness

private let key = "0123456789abcdef"

/// A fleet that tells people by mail and by a signed message to an address, both over TLS; and whose figures are those
/// of its desk.
@Suite(
    "The desk's channels", .enabled(if: Servers.areThere && NoticeReceiver.isThere, Servers.absence),
    .timeLimit(.minutes(5)))
struct DeskChannelTests {
    /// Two receivers, and a fleet that knows them.
    private struct Scene {
        let desk: DeskRunning
        let mail: NoticeReceiver
        let hook: NoticeReceiver
        let figures: DeskFigures

        func hooks() throws -> [HookRead] { try hook.taken().map { try HookRead($0, key: key) } }
        func mails() throws -> [MailRead] { try mail.taken().map(MailRead.init) }
    }

    /// - Parameter prepare: done before the handler starts.
    private func with(
        _ prepare: (DeskRunning) async throws -> Void, _ work: (Scene) async throws -> Void
    ) async throws {
        let (mail, hook) = (try NoticeReceiver(.starttls), try NoticeReceiver(.https, failures: .max))
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("channels-\(UUID()).yaml").path
        let trusted = file + ".pem"
        defer { for file in [file, trusted] { try? FileManager.default.removeItem(atPath: file) } }
        let example = RunningFleet.root.appendingPathComponent("config/example.yaml")
        try (String(contentsOf: example, encoding: .utf8) + """

            alerts:
              channels:
                - {name: mail, kind: email, server: "smtp://127.0.0.1:\(mail.port)", from: till@example.com,
                   to: "ana@example.com, ben@example.com"}
                - {name: hook, kind: webhook}

            """).write(toFile: file, atomically: true, encoding: .utf8)
        try [mail, hook].map { try String(contentsOfFile: $0.certificate, encoding: .utf8) }.joined()
            .write(toFile: trusted, atomically: true, encoding: .utf8)
        let environment = [
            "TILLBRIDGE_ALERT_MAIL_USER": "duty", "TILLBRIDGE_ALERT_MAIL_PASSWORD": "correct horse",
            "TILLBRIDGE_ALERT_HOOK_URL": "https://127.0.0.1:\(hook.port)/hook",
            "TILLBRIDGE_ALERT_HOOK_SIGNING_KEY": key, "TILLBRIDGE_TRUSTED_CERTIFICATES": trusted,
            "TILLBRIDGE_ALERTS_INTERVAL": "1s", "TILLBRIDGE_ALERTS_GROUP_AFTER": "1s",
            "TILLBRIDGE_ALERTS_RESOLVE_AFTER": "1s", "TILLBRIDGE_ALERTS_DAY_LATE": "30d",
        ]
        try await DeskRunning.with(
            "channels", workers: ["mapper", "writer"], configuration: file, environment: environment
        ) { desk in
            try await prepare(desk)
            _ = try await desk.running.fleet.startWorker("dead-letter-handler", log: "handler")
            try await desk.running.fleet.waitUntilReady()
            let client = try await desk.running.health(of: "handler")
            try await work(Scene(desk: desk, mail: mail, hook: hook, figures: DeskFigures(client: client)))
            await client.close()
        }
    }

    @Test("an alert and its end arrive by mail and by signed webhook; figures are what desk and receivers hold")
    func bothChannels() async throws {
        try await with { desk in
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await desk.running.publish(
                ["1081", "1082"].map { desk.messages.order(id: $0) } + [
                    desk.messages.order(id: "1083") { $0.replacing("\"total\":12.30", with: "\"total\":-1.00") }
                ])
            // An alert tells of its group as it was then: all letters first, then whoever reads them.
            try await desk.running.wait("the letters") {
                try await desk.running.watch.queued(of: "\(desk.running.fleet.run).dead") == 3
            }
        } _: { scene in
            let desk = scene.desk
            try await desk.waitForLetters(3)
            try await desk.running.wait("both alerts by mail") { try scene.mail.taken().count == 2 }
            // What the hook does not take is seen where a person looks, until it does.
            try await desk.running.wait("the failure to be shown") {
                try await desk.running.fleet.command(["alerts", "list"]).output.contains(
                    "1 message not delivered, the last attempt: the address of hook answered 503")
            }
            try scene.hook.relent()
            try await desk.running.wait("both alerts by webhook") { try scene.hook.taken().count == 2 }
            try Self.expectAlerts(scene)
            try await Self.expectFigures(scene)

            let value = try await desk.desk("discard", "--class", "value", "--reason", "a test", "--by", "ana")
            #expect(value.status == 0, "\(value.output)")
            try await desk.inXero(#""activateAccounts":["230"]"#)
            let replay = try await desk.desk("replay", "--class", "archived", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks(["HBR-1081 12.30 due 0.00", "HBR-1082 12.30 due 0.00"])
            try await desk.running.wait("both ends on both channels") {
                let mails = try scene.mails().filter { $0.subject.contains("resolved") }
                return try mails.count == 2
                    && scene.hooks().filter { $0.payload["notice"]?.string == "resolved" }.count == 2
            }
            #expect(try scene.mail.taken().count == 4)
            #expect(try scene.hook.taken().count == 4)
            try await scene.figures.wait(desk, [
                #"tillbridge_dead_letters_open{class="archived"}"#: 0,
                #"tillbridge_dead_letters_open{class="value"}"#: 0, "tillbridge_dead_letter_oldest_seconds": 0,
                #"tillbridge_dead_letter_replays_total{outcome="sent"}"#: 2,
                #"tillbridge_dead_letter_replays_total{outcome="booked"}"#: 2,
                #"tillbridge_alerts_sent_total{channel="mail",notice="resolved"}"#: 2,
                #"tillbridge_alerts_sent_total{channel="hook",notice="resolved"}"#: 2,
            ])
        }
    }

    private static func expectAlerts(_ scene: Scene) throws {
        let letter = try #require(try scene.mails().first { $0.subject.contains("archived") })
        #expect(letter.envelope == [
            "user duty", "MAIL FROM:<till@example.com>", "RCPT TO:<ana@example.com>", "RCPT TO:<ben@example.com>",
        ])
        for line in [
            "What: 2 letters on the desk: archived", "Where: Harbour Bistro (harbour)", "How many: 2",
            "How much: 24.60 AUD", "Command: tillbridge dead-letters replay --group",
        ] {
            #expect(letter.text.contains(line), "\(line) in \(letter.text)")
        }
        let told = try scene.hooks()
        #expect(told.count { $0.isGenuine } == 2)
        let archived = try #require(told.first { $0.payload["title"]?.string?.contains("archived") == true })
        #expect(archived.payload["count"]?.integer == 2 && archived.payload["amount"]?.string == "24.60 AUD")
        #expect(archived.payload["command"]?.string?.hasPrefix("tillbridge dead-letters replay") == true)
        // Signed with another key, or changed on its way, it is not ours.
        let first = try scene.hook.taken()[0]
        let foreign = try HookRead(first, key: "fedcba9876543210")
        let changed = try HookRead(first + " ", key: key)
        #expect(!foreign.isGenuine && !changed.isGenuine)
    }

    private static func expectFigures(_ scene: Scene) async throws {
        let oldest = try await scene.desk.letters("first_seen").compactMap { $0["first_seen"] }.min()
        #expect(oldest?.hasPrefix("2025-10-09") == true)
        try await scene.figures.wait(scene.desk, [
            #"tillbridge_dead_letters_open{class="archived"}"#: 2, #"tillbridge_dead_letters_open{class="value"}"#: 1,
            #"tillbridge_dead_letters_open{class="mapping"}"#: 0, "tillbridge_dead_letters_in_flight": 0,
            "tillbridge_dead_letters_kept_total": 3,
            #"tillbridge_alerts_sent_total{channel="mail",notice="opened"}"#: 2,
            #"tillbridge_alerts_sent_total{channel="hook",notice="opened"}"#: 2,
            #"tillbridge_alert_delivery_failures_total{channel="hook"}"#: try scene.hook.refused(),
            "tillbridge_alert_deliveries_waiting": 0,
        ])
        let age = try #require(try await scene.figures.values()["tillbridge_dead_letter_oldest_seconds"])
        let real = Int(Date().timeIntervalSince1970) - 1_760_000_000
        #expect(age <= real && age > real - 120, "\(age), not \(real)")
    }
}

/// What the handler says of itself on its page for Prometheus.
struct DeskFigures {
    let client: SimulatorClient

    func values() async throws -> [String: Int] {
        let text = await client.text("/metrics") ?? ""
        return text.split(separator: "\n").reduce(into: [:]) { values, line in
            guard !line.hasPrefix("#"), let blank = line.lastIndex(of: " ") else { return }
            values[String(line[..<blank])] = Int(line[line.index(after: blank)...])
        }
    }

    func wait(_ desk: DeskRunning, _ expected: [String: Int]) async throws {
        var last: [String: Int] = [:]
        do {
            try await desk.running.wait("the figures") {
                last = try await values()
                return expected.allSatisfy { last[$0.key] == $0.value }
            }
        } catch {
            for (name, value) in expected where last[name] != value {
                Issue.record("\(name) is \(last[name].map { "\($0)" } ?? "missing"), not \(value)")
            }
            throw error
        }
    }
}

/// A mail as the receiver keeps it: the envelope, a blank line, the message.
private struct MailRead {
    let envelope: [String]
    let subject: String
    let text: String

    init(_ taken: String) {
        let parts = taken.replacing("\r\n", with: "\n").split(separator: "\n\n", maxSplits: 2)
        envelope = parts[0].split(separator: "\n").map(String.init)
        let headers = parts[1].replacing("\n ", with: " ")
        let line = headers.split(separator: "\n").first { $0.hasPrefix("Subject: ") } ?? ""
        // Each word `=?utf-8?B?…?=`, or plain.
        subject = line.dropFirst(9).split(separator: " ").map { word in
            guard word.hasPrefix("=?"), let code = word.dropLast(2).split(separator: "?").last,
                let bytes = Data(base64Encoded: String(code))
            else { return String(word) + " " }
            return String(decoding: bytes, as: UTF8.self)
        }.joined()
        text = String(
            decoding: Data(base64Encoded: String(parts[2].filter { !$0.isNewline })) ?? Data(), as: UTF8.self)
    }
}

/// A message to an address, as its receiver reads it: the signature is made again from what came.
private struct HookRead {
    let payload: JSON
    let isGenuine: Bool

    init(_ taken: String, key: String) throws {
        let halves = taken.components(separatedBy: "\n\n")
        let body = halves.dropFirst().joined(separator: "\n\n")
        let header = halves[0].split(separator: "\n").first { $0.hasPrefix("X-Tillbridge-Signature: ") } ?? ""
        let signature = header.dropFirst("X-Tillbridge-Signature: ".count)
        let time = signature.dropFirst(2).prefix { $0 != "," }
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(time).\(body)".utf8), using: SymmetricKey(data: Data(key.utf8)))
        let now = Int64(Date().timeIntervalSince1970)
        isGenuine = signature == "t=\(time),v1=" + code.map { String(format: "%02x", $0) }.joined()
            && Int64(time).map { abs(now - $0) < 300 } == true
        payload = try JSON(parsing: Array(body.utf8))
    }
}
