import Telemetry
import Testing

@Suite("Health") struct HealthTests {
    @Test("a worker that waits for nothing is ready")
    func ready() {
        let health = Health()
        #expect(health.whyNotReady == nil)
        health.set("broker", waitingFor: "a connection")
        health.set("broker", waitingFor: nil)
        #expect(health.whyNotReady == nil)
    }

    @Test("every part that is missing is named, in a steady order, with its latest reason")
    func reasons() {
        let health = Health()
        health.set("database", waitingFor: "a first connection")
        health.set("broker", waitingFor: "a connection")
        health.set("database", waitingFor: "migration 0002")
        #expect(health.whyNotReady == "broker: a connection; database: migration 0002")
        health.set("broker", waitingFor: nil)
        #expect(health.whyNotReady == "database: migration 0002")
    }

    @Test("a worker that drains is not ready, even when it has everything, and never again")
    func draining() throws {
        let health = Health()
        health.beginDraining()
        #expect(try #require(health.whyNotReady).hasPrefix("draining"))
        health.set("broker", waitingFor: nil)
        #expect(health.whyNotReady?.hasPrefix("draining") == true)
    }
}
