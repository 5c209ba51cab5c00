import AMQP
import Foundation
import Glibc
import Postgres

/// What to start, and where.
package struct FleetOptions: Sendable {
    /// The folder of the executables.
    package var programs: String
    package var configuration: String
    /// Logs, port files and nothing else are written here.
    package var folder: String
    package var rabbitMQ: String
    package var database: String
    /// Real orders to play, or nil for made-up ones.
    package var ordersFile: String?
    /// `real`, `off` or `x<N>`.
    package var limits: String
    /// The same for the till alone; nil: as `limits`.
    package var tillLimits: String?
    package var ordersPerVenue: Int
    package var duration: Int
    package var writers: Int
    /// More of `kounta-sim`'s own arguments.
    package var tillArguments: [String]
    /// Every venue posts its trading days as summaries: the run is over when every day is posted.
    package var postsDays: Bool
    /// Extra environment of the workers.
    package var environment: [String: String]
    /// Names the run's queues and tables, so that no two runs on the same servers meet.
    package var run: String

    package init(programs: String, configuration: String, folder: String, rabbitMQ: String, database: String) {
        self.programs = programs
        self.configuration = configuration
        self.folder = folder
        self.rabbitMQ = rabbitMQ
        self.database = database
        limits = "x200"
        ordersPerVenue = 400
        duration = 30
        writers = 2
        tillArguments = []
        postsDays = false
        environment = [:]
        run = "run-\(getpid())"
    }

    /// How often the vendors' limits the simulators allow; 0: no limits.
    var limitsMultiple: Int? {
        switch limits {
        case "real": 1
        case "off": 0
        default: limits.hasPrefix("x") ? Int(limits.dropFirst()).flatMap { $0 > 0 ? $0 : nil } : nil
        }
    }
}

/// A whole fleet of real processes with both simulators, in queues and tables of its own.
package final class Fleet: Sendable {
    let options: FleetOptions
    let plan: FleetPlan
    /// Tells this run's queues and tables from any other's on the same servers.
    let run: String
    let kounta: SimulatorClient
    let xero: SimulatorClient
    let children: ChildList
    /// Of every program of the fleet.
    let environment: [String: String]

    /// Starts both simulators and migrates the database; the workers come with ``startWorkers()``.
    package init(_ options: FleetOptions) async throws {
        self.options = options
        guard let multiple = options.limitsMultiple else {
            throw HarnessError("the limits are real, off or x<N>, not `\(options.limits)`")
        }
        plan = try FleetPlan(configuration: options.configuration)
        run = options.run
        try FileManager.default.createDirectory(atPath: options.folder, withIntermediateDirectories: true)
        children = ChildList()
        do {
            let kountaPort = try await Fleet.startKounta(options, children)
            let xeroPort = try await Fleet.startXero(options, plan, children)
            kounta = SimulatorClient(base: "http://127.0.0.1:\(kountaPort)")
            xero = SimulatorClient(base: "http://127.0.0.1:\(xeroPort)")
            environment = Fleet.environment(
                options, plan, run: run, multiple: multiple, kounta: kountaPort, xero: xeroPort)
            let migrate = try ChildProcess(
                name: "migrate", executable: "\(options.programs)/tillbridge", arguments: ["migrate"],
                environment: environment, log: "\(options.folder)/migrate.log")
            let status = await migrate.waitForExit()
            guard status == 0 else {
                throw HarnessError("`tillbridge migrate` failed: see \(options.folder)/migrate.log")
            }
        } catch {
            _ = await children.stopAll()
            throw error
        }
    }

    private static func startKounta(_ options: FleetOptions, _ children: ChildList) async throws -> Int {
        var arguments = [
            "--limits", options.tillLimits ?? options.limits, "--port-file", "\(options.folder)/kounta.port",
        ]
        if let file = options.ordersFile {
            arguments += ["--csv", file]
        } else {
            arguments += ["--orders", String(options.ordersPerVenue), "--duration", String(options.duration)]
        }
        arguments += options.tillArguments
        return try await start("kounta-sim", arguments, portFile: "kounta.port", options, children)
    }

    private static func startXero(
        _ options: FleetOptions, _ plan: FleetPlan, _ children: ChildList
    ) async throws -> Int {
        var arguments = ["--limits", options.limits, "--port-file", "\(options.folder)/xero.port"]
        for organisation in plan.organisations {
            let venues = plan.venues.filter { $0.organisation == organisation.key }.map(\.name)
            arguments += [
                "--organisation",
                [
                    organisation.tenant, organisation.name, "AU", organisation.currency, organisation.timezone,
                    venues.joined(separator: ","),
                ].joined(separator: "|"),
            ]
        }
        return try await start("xero-sim", arguments, portFile: "xero.port", options, children)
    }

    private static func start(
        _ name: String, _ arguments: [String], portFile: String, _ options: FleetOptions, _ children: ChildList
    ) async throws -> Int {
        let path = "\(options.folder)/\(portFile)"
        try? FileManager.default.removeItem(atPath: path)
        let child = try ChildProcess(
            name: name, executable: "\(options.programs)/\(name)", arguments: arguments,
            environment: ProcessInfo.processInfo.environment, log: "\(options.folder)/\(name).log")
        await children.add(child)
        for _ in 0..<1200 {
            if let text = try? String(contentsOfFile: path, encoding: .utf8),
                let port = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
            {
                return port
            }
            guard child.isRunning else { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw HarnessError("\(name) did not start: see \(options.folder)/\(name).log")
    }

    private static func environment(
        _ options: FleetOptions, _ plan: FleetPlan, run: String, multiple: Int, kounta: Int, xero: Int
    ) -> [String: String] {
        var environment = ProcessInfo.processInfo.environment
        environment["TILLBRIDGE_CONFIG"] = options.configuration
        environment["TILLBRIDGE_RABBITMQ_URL"] = options.rabbitMQ
        environment["TILLBRIDGE_DATABASE_URL"] = options.database
        environment["TILLBRIDGE_DATABASE_SCHEMA"] = run.replacingOccurrences(of: "-", with: "_")
        environment["TILLBRIDGE_QUEUE_PREFIX"] = run
        environment["TILLBRIDGE_KOUNTA_URL"] = "http://127.0.0.1:\(kounta)"
        environment["TILLBRIDGE_XERO_URL"] = "http://127.0.0.1:\(xero)"
        environment["TILLBRIDGE_XERO_IDENTITY_URL"] = "http://127.0.0.1:\(xero)"
        environment["TILLBRIDGE_XERO_LOGIN_URL"] = "http://127.0.0.1:\(xero)"
        environment["TILLBRIDGE_KOUNTA_LOGIN_URL"] = "http://127.0.0.1:\(kounta)"
        environment["TILLBRIDGE_SIMULATION_LIMITS_MULTIPLE"] = String(multiple)
        environment["TILLBRIDGE_HEALTH_ADDRESS"] = "127.0.0.1:0"
        // The simulators take any credential; these are none of anybody's.
        for organisation in plan.organisations {
            environment["TILLBRIDGE_XERO_\(name(organisation.key))_CLIENT_ID"] = "demo"
            environment["TILLBRIDGE_XERO_\(name(organisation.key))_CLIENT_SECRET"] = "demo"
        }
        for company in plan.companies {
            environment["TILLBRIDGE_KOUNTA_\(name(company))_CLIENT_ID"] = "demo"
            environment["TILLBRIDGE_KOUNTA_\(name(company))_CLIENT_SECRET"] = "demo"
        }
        environment.merge(options.environment) { $1 }
        return environment
    }

    /// Writes `env`, for a shell in another terminal: the addresses of this run, and none of the demo's credentials, so
    /// that connecting by consent can be tried.
    func writeEnvironment() throws {
        let path = "\(options.folder)/env"
        let names = environment.keys.filter { $0.hasPrefix("TILLBRIDGE_") && !$0.contains("_CLIENT_") }.sorted()
        var values = environment
        values["TILLBRIDGE_CONFIG"] = URL(fileURLWithPath: options.configuration).path
        let lines = names.map { name in
            "export \(name)='" + (values[name] ?? "").replacingOccurrences(of: "'", with: "'\\''") + "'\n"
        }
        // The database's password stands in it.
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        guard FileManager.default.createFile(
            atPath: path, contents: Data(lines.joined().utf8), attributes: attributes)
        else { throw HarnessError("cannot write \(path)") }
    }

    /// `north-shore` as a variable's name has it.
    private static func name(_ key: String) -> String {
        String(key.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }

    /// - Parameter names: program names, one entry a process.
    package func startWorkers(_ names: [String]) async throws {
        for (index, name) in names.enumerated() { _ = try await startWorker(name, log: "\(name)-\(index + 1)") }
    }

    func startWorker(
        _ name: String, log: String, environment extra: [String: String] = [:], arguments: [String] = []
    ) async throws -> ChildProcess {
        let child = try ChildProcess(
            name: name, executable: "\(options.programs)/\(name)", arguments: arguments,
            environment: environment.merging(extra) { $1 }, log: "\(options.folder)/\(log).log")
        await children.add(child)
        return child
    }

    package var usualWorkers: [String] {
        ["poller", "mapper"] + Array(repeating: "writer", count: options.writers) + ["dead-letter-handler"]
    }

    /// Stops every process and removes this run's queues and tables.
    ///
    /// - Returns: what did not end in order.
    package func stop() async -> [String] {
        let disorderly = await children.stopAll()
        await removeTraces()
        await kounta.close()
        await xero.close()
        return disorderly
    }
}

/// The processes of a fleet, in the order they were started.
actor ChildList {
    private(set) var all: [ChildProcess] = []

    func add(_ child: ChildProcess) { all.append(child) }

    func remove(_ child: ChildProcess) { all.removeAll { $0 === child } }

    /// Workers first, simulators last: the other way round they would complain about each other.
    func stopAll() async -> [String] {
        var disorderly: [String] = []
        let simulators = all.filter { $0.name.hasSuffix("-sim") }
        let workers = all.filter { !$0.name.hasSuffix("-sim") }
        for group in [workers, simulators] {
            await withTaskGroup(of: String?.self) { tasks in
                for child in group {
                    tasks.addTask {
                        let status = await child.stop()
                        // One told to end in its first instants, before it listens for signals, ends of the signal.
                        let ended = status == 0 || (status == SIGTERM && child.isStarting)
                        return ended ? nil : "\(child.name) ended with status \(status)"
                    }
                }
                for await problem in tasks { if let problem { disorderly.append(problem) } }
            }
        }
        all = []
        return disorderly
    }

    /// Names of processes that ended by themselves: none should.
    func ended() -> [String] { all.filter { !$0.isRunning }.map(\.name) }
}
