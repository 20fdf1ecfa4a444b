#pragma once

#include <cstdint>

namespace signalbox {

/// What one duty cycle of a loop came to.
enum class Step : std::uint8_t { Idle, Done, Failed };

}  // namespace signalbox
