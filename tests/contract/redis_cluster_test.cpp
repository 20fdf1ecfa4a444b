#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "adapters/redis_sink.hpp"
#include "contract/test_batch.hpp"
#include "ports/io_error.hpp"

namespace signalbox {
namespace {

std::uint16_t free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(probe, reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(probe);
  return ntohs(address.sin_port);
}

/// A redis-server of the test's own, in cluster mode.
class ClusterNode {
 public:
  ClusterNode()
      : folder_(std::filesystem::temp_directory_path() / ("signalbox-" + unique_word())),
        port_(free_port()) {
    std::filesystem::create_directory(folder_);
    std::vector<std::string> words{"redis-server",
                                   "--port",
                                   std::to_string(port_),
                                   "--bind",
                                   "127.0.0.1",
                                   "--cluster-enabled",
                                   "yes",
                                   "--cluster-port",
                                   std::to_string(free_port()),
                                   "--save",
                                   "",
                                   "--dir",
                                   folder_.string(),
                                   "--logfile",
                                   "redis.log"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    EXPECT_EQ(posix_spawnp(&pid_, "redis-server", nullptr, nullptr, arguments.data(), environ), 0);
  }

  ~ClusterNode() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }
  ClusterNode(const ClusterNode&) = delete;
  ClusterNode& operator=(const ClusterNode&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  std::filesystem::path folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

TEST(RedisCluster, IsRefusedByName) {
  const ClusterNode node;
  RedisSinkOptions options{.redis = {}, .group = "signalbox"};
  options.redis.port = node.port();
  RedisSink sink{options};
  std::string said;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  do {
    try {
      sink.ping();
    } catch (const IoError& error) {
      said = error.what();
    }
  } while (said.contains("Connection refused") && std::chrono::steady_clock::now() < deadline);

  EXPECT_THAT(said, testing::HasSubstr("Redis Cluster, which is not supported"));
  const WriteOutcome outcome =
      sink.write(TestBatch{unique_word()}.move(0, std::nullopt, fence_at(1)).get());
  EXPECT_TRUE(std::holds_alternative<Unavailable>(outcome));
}

}  // namespace
}  // namespace signalbox
