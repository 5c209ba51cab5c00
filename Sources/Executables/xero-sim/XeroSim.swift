import ArgumentParser
import XeroSimulator

@main
struct XeroSim {
    static func main() async { await SimulatorCommand.main() }
}
