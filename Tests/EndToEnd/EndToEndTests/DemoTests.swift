import Foundation
import Testing

@testable import FleetHarness

/// `make demo` behind its script: what it prints last, and with what it ends.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(5)))
struct DemoTests {
    /// Two sales of 20.75 and 12.95, fields quoted or not.
    private static let orders = """
        invoice,Order Date,description,Quantity,Product Price,Total products,City
        16118,03/08/19 20:25,Plain Papadum,2,0.8,3,Kensington
        16118,03/08/19 20:25,"Chicken, hot",1,12.95,3,Kensington
        16118,03/08/19 20:25,Pilau Rice,1,6.20,3,Kensington
        16119,03/08/19 20:31,King Prawn Balti,1,12.95,1,Richmond

        """

    private func demo(configuration: String) async throws -> (status: Int32?, output: String) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tillbridge-demo-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Self.orders.write(toFile: "\(folder)/orders.csv", atomically: true, encoding: .utf8)
        var environment = ProcessInfo.processInfo.environment
        environment["TILLBRIDGE_RABBITMQ_URL"] = Servers.rabbitMQ
        environment["TILLBRIDGE_DATABASE_URL"] = Servers.database
        let log = "\(folder)/demo.log"
        let child = try ChildProcess(
            name: "fleet", executable: "\(RunningFleet.programs)/fleet",
            arguments: [
                "demo", "--orders", "\(folder)/orders.csv", "--folder", "\(folder)/fleet", "--config", configuration,
            ], environment: environment, log: log)
        let status = await child.waitForExit()
        return (status, (try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
    }

    @Test("the demo of a file ends with 0 and the proof of its orders")
    func proven() async throws {
        let example = RunningFleet.root.appendingPathComponent("config/example.yaml").path
        let (status, output) = try await demo(configuration: example)
        #expect(status == 0, "\(output)")
        let proof = output.split(separator: "\n").last ?? ""
        let sums = "proof: 2 orders, 2 invoices, till 33.70, ledger 33.70, difference 0.00"
        #expect(proof == "\(sums), missing 0, doubled 0, dead 0", "\(output)")
    }

    @Test("a demo whose orders cannot all be booked says which and ends with 1")
    func unproven() async throws {
        let file = try RunningFleet.configuration { $0.replacing("      \"0.1\": OUTPUT\n", with: "") }
        defer { try? FileManager.default.removeItem(at: file) }
        let (status, output) = try await demo(configuration: file.path)
        #expect(status == 1, "\(output)")
        let proof = output.split(separator: "\n").last { $0.hasPrefix("proof:") } ?? ""
        #expect(proof.hasSuffix("difference 33.70, missing 2, doubled 0, dead 2"), "\(output)")
    }
}
