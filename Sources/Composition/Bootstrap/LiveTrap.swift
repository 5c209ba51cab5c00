import FoundationEssentials
import Logging
import Telemetry

enum LiveTrap {
    /// Sets the point at which a test wants this process to end or to stop. Says so loudly: in production it is a
    /// mistake.
    static func arm(_ worker: Worker) throws {
        let environment = ProcessInfo.processInfo.environment
        do throws(WaypointProblem) {
            let order = try WaypointTrap.arm(
                crashAt: environment["TILLBRIDGE_CRASH_AT"], stopAt: environment["TILLBRIDGE_STOP_AT"])
            guard let order else { return }
            LiveLog.logger(worker.rawValue).warning("for a test, this process \(order)")
        } catch { throw StartError("TILLBRIDGE_CRASH_AT or TILLBRIDGE_STOP_AT: \(error)") }
    }
}
