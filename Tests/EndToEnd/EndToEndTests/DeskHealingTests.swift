import AMQP
import Foundation
import Testing

@testable import FleetHarness

/// A cause that goes away by whatever way: the desk finds out by itself, and no person sends anything again.
@Suite(
    "The desk heals by itself", .serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(6)))
struct DeskHealingTests {
    @Test("the mapping corrected, an account restored, the connection back: each group is sent again and closed")
    func byItself() async throws {
        let configuration = try DutyConfiguration("heals")
        defer { configuration.remove() }
        try await DeskRunning.with("heals", probeInterval: "1s", configuration: configuration.path) { desk in
            var ids: [String] = []
            func publish(_ numbers: ClosedRange<Int>, _ edit: (String) -> String = { $0 }) async throws {
                ids += numbers.map(String.init)
                try await desk.running.publish(numbers.map { desk.messages.order(id: "\($0)", edit) })
                try await desk.waitForLetters(numbers.count)
            }
            func expectHealed(_ deadLetterClass: String, _ count: Int) async throws {
                try await desk.waitForBooks(ids.map { "HBR-\($0) 12.30 due 0.00" })
                let letters = try await desk.letters("class,state,replayed_by").suffix(count)
                // Nobody but the desk sent them; each went once or, as the probe, more often.
                #expect(letters.allSatisfy {
                    $0 == ["class": deadLetterClass, "state": "resolved", "replayed_by": "desk"]
                }, "\(letters)")
            }
            // A tax that the mapping does not know, until somebody adds it to the file; nothing is restarted.
            try await publish(1101...1120) { $0.replacing("\"rate\":0.1}", with: "\"rate\":0.15}") }
            #expect(try await desk.openGroups().count == 1)
            try configuration.write(taxes: ["0.1", "0.15"], lakesideCallsPerDay: 1)
            try await expectHealed("mapping", 20)

            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await publish(1121...1140)
            #expect(try await desk.openGroups().count == 1)
            try await desk.inXero(#""activateAccounts":["230"]"#)
            try await expectHealed("archived", 20)

            // Xero fails on one order every time; its neighbours go on.
            let time = try ChaosMessages(desk.running.fleet)
            try await time.hurry()
            try await desk.running.fleet.xero.post(
                "/_control/faults",
                #"{"match":{"method":"PUT","path":"/api.xro/2.0/Invoices","text":"HBR-1141"},"#
                    + #""action":{"status":500}}"#)
            ids.append("1141")
            try await desk.running.publish([desk.messages.order(id: "1141")])
            try await desk.waitForLetters(1, within: .seconds(150))
            #expect(try await desk.letters("class").last == ["class": "connection"])
            try await desk.running.fleet.xero.delete("/_control/faults")
            try await expectHealed("connection", 1)
            await time.close()
        }
    }
}
