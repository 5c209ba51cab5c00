import Foundation
import HTTP
import JSON
import Testing

@testable import FleetHarness

/// RabbitMQ's own management page, as a person without our tools has it: a private broker with its plugin, and the
/// interface behind the page's "Get messages".
@Suite(
    "The management page",
    .enabled(if: Servers.database != nil && ManagedBroker.isInstalled, ManagedBroker.absence), .timeLimit(.minutes(6)))
struct ManagementPageTests {
    @Test("while the handler is stopped letters are read on RabbitMQ's management page, cause and all, and stay there")
    func readable() async throws {
        try await ManagedBroker.with { broker in
            try await RunningFleet.with("page", rabbitMQ: broker.url) { running in
                try await running.fleet.startWorkers(["mapper", "writer"])
                try await running.fleet.waitUntilReady()
                let messages = Messages(run: running.fleet.run)
                let dead = "\(running.fleet.run).dead"
                try await running.publish([
                    messages.order(id: "1401") { $0.replacing("\"total\":12.30", with: "\"total\":-1.00") }
                ])
                try await running.wait("the letter") { try await running.watch.queued(of: dead) == 1 }
                let queues = try await broker.page(.get, "/queues/%2F")
                #expect(queues.elements.contains { $0["name"]?.string == dead })

                // As often as one likes: it goes back each time.
                for _ in 0..<3 {
                    try await running.wait("it to be there") { try await running.watch.queued(of: dead) == 1 }
                    let read = try await broker.page(
                        .post, "/queues/%2F/\(dead)/get",
                        #"{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}"#)
                    let message = try #require(read.elements.first)
                    #expect(message["payload"]?.string?.contains("\"id\":1401") == true)
                    let headers = try #require(message["properties"]?["headers"])
                    #expect(headers["tb-class"]?.string == "value")
                    #expect(headers["tb-cause"]?.string?.contains("negative") == true)
                    #expect(headers["tb-remedy"]?.string?.isEmpty == false)
                    #expect(headers["tb-origin"]?.string == "\(running.fleet.run).map")
                    #expect(headers["tb-original"]?["tb-id"]?.string == "1401")
                }
                // And the handler that comes back takes it, once.
                _ = try await running.fleet.startWorker("dead-letter-handler", log: "handler")
                try await running.wait("the desk") {
                    guard try await running.watch.counts().dead == 1 else { return false }
                    return try await running.watch.queued(of: dead) == 0
                }
            }
        }
    }
}

/// A broker of this test's own, with the management plugin on a port of its own.
struct ManagedBroker {
    let url: String
    private let port: Int
    private let http: HTTPClient

    private static let plugins = "/usr/lib/rabbitmq/lib"
    /// The plugin is part of RabbitMQ's package; a minimal image may lack it.
    static let isInstalled = (FileManager.default.enumerator(atPath: plugins)?.contains { path in
        (path as? String)?.split(separator: "/").last?.hasPrefix("rabbitmq_management-") == true
    }) == true
    static let absence: Comment = "TILLBRIDGE_TEST_DATABASE_URL is not set, or RabbitMQ has no management plugin here"

    static func with(_ work: (ManagedBroker) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tb-page-\(getpid())").path
        let http = HTTPClient(name: "tb-page")
        let servers = try Self.servers(["start", folder, "--for", "\(getpid())"], "\(folder)-start.log")
        let result: Result<Void, any Error>
        do {
            let url = try await start(folder)
            result = .success(try await work(ManagedBroker(url: url, port: try await plugIn(folder), http: http)))
        } catch { result = .failure(error) }
        await http.close()
        let stopped = await (try Self.servers(["stop", folder], "\(folder)-stop.log")).waitForExit()
        _ = await servers.waitForExit()
        #expect(stopped == 0)
        if case .success = result {
            for name in ["start", "stop", "plugin"] {
                try? FileManager.default.removeItem(atPath: "\(folder)-\(name).log")
            }
        }
        try result.get()
    }

    /// The script has done its work when this file is there; its end is seen only when the broker has ended too, which
    /// holds what it was started with.
    private static func start(_ folder: String) async throws -> String {
        let begin = ContinuousClock.now
        while !FileManager.default.fileExists(atPath: "\(folder)/env") {
            guard ContinuousClock.now - begin < .seconds(120) else {
                throw HarnessError("no broker after two minutes; see \(folder)-start.log")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        let lines = try String(contentsOfFile: "\(folder)/rabbitmq.env", encoding: .utf8).split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix("export TILLBRIDGE_RABBITMQ_URL=") })
        return String(line.drop { $0 != "=" }.dropFirst()).replacing("\\", with: "")
    }

    /// What `rabbitmq-plugins enable` does, on a port of the loopback.
    private static func plugIn(_ folder: String) async throws -> Int {
        let port = try Ports.free()
        let plugins = "\(folder)/rabbitmq/enabled_plugins"
        try Data("[rabbitmq_management].\n".utf8).write(to: URL(fileURLWithPath: plugins))
        let log = "\(folder)-plugin.log"
        let child = try ChildProcess(
            name: "rabbitmqctl", executable: "\(folder)/rabbitmqctl",
            arguments: [
                "eval",
                """
                application:set_env(rabbitmq_management, tcp_config, [{port, \(port)}, {ip, "127.0.0.1"}],
                                    [{persistent, true}]),
                {ok, _, _} = rabbit_plugins:ensure("\(plugins)").
                """,
            ], environment: ProcessInfo.processInfo.environment, log: log)
        guard await child.waitForExit() == 0 else {
            throw HarnessError("no plugin: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
        }
        return port
    }

    /// What the page itself asks for.
    func page(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> JSON {
        let rest = try #require(url.split(separator: "@").first?.dropFirst("amqp://".count))
        let request = HTTPRequest(
            method: method, url: "http://127.0.0.1:\(port)/api\(path)",
            headers: [
                ("Authorization", "Basic \(Data(rest.utf8).base64EncodedString())"),
                ("Content-Type", "application/json"),
            ], body: body.map { Array($0.utf8) })
        guard case .answered(let response) = await http.send(request), response.status == 200 else {
            throw HarnessError("the management page refused \(method) \(path)")
        }
        return try JSON(parsing: response.body)
    }

    /// `scripts/servers.sh`, with the test run's database: a broker alone is started.
    private static func servers(_ arguments: [String], _ log: String) throws -> ChildProcess {
        var environment = ProcessInfo.processInfo.environment
        environment["DATABASE_URL"] = Servers.database
        for name in ["RABBITMQ_URL", "TILLBRIDGE_RABBITMQ_URL"] { environment[name] = nil }
        return try ChildProcess(
            name: "servers", executable: "/bin/bash",
            arguments: [RunningFleet.root.appendingPathComponent("scripts/servers.sh").path] + arguments,
            environment: environment, log: log)
    }
}
