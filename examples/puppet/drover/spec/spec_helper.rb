# frozen_string_literal: true

require 'rspec-puppet'

RSpec.configure do |c|
  # The module's own directory stands where a module path has it: nothing is to be
  # linked into the sources for the tests.
  c.module_path = File.expand_path('../..', __dir__)
  c.setup_fixtures = false
  c.strict_variables = true
  c.trusted_server_facts = true
end

# fragment is what the host of that name is to export.
def fragment(name)
  File.read(File.join(__dir__, 'fixtures', 'fragments', "#{name}.hcl"))
end
