import Testing

@testable import Telemetry

@Suite struct WaypointTests {
    @Test("every point has a name of its own that says whose it is")
    func names() {
        #expect(Set(Waypoint.allCases.map(\.rawValue)).count == Waypoint.allCases.count)
        for point in Waypoint.allCases { #expect(point.rawValue.contains(".")) }
        #expect(Set(Waypoint.allCases.map(\.worker)) == ["poller", "mapper", "writer", "dead-letter-handler"])
    }

    @Test("an order that names no point, or no number, is refused in words", arguments: [
        "writer.nowhere", "writer.paid:0", "writer.paid:-1", "writer.paid:x", "writer.paid:1:2", ":3",
        "writer.paid@", "writer.paid:2@x", "@x",
    ])
    func nonsense(text: String) {
        #expect(throws: WaypointProblem.self) { try WaypointTrap.arm(crashAt: text, stopAt: nil) }
        #expect(throws: WaypointProblem.self) { try WaypointTrap.arm(crashAt: nil, stopAt: text) }
    }

    @Test("without an order nothing is armed, and passing a point does nothing")
    func unarmed() throws {
        #expect(try WaypointTrap.arm(crashAt: nil, stopAt: "") == nil)
        for point in Waypoint.allCases {
            pass(point)
            pass(point) { [[1]] }
        }
    }
}
