# frozen_string_literal: true

describe 'drover::hcl' do
  it { is_expected.to run.with_params('esx-01').and_return('"esx-01"') }
  it { is_expected.to run.with_params('').and_return('""') }
  it { is_expected.to run.with_params('a"b\\c').and_return('"a\\"b\\\\c"') }
  it { is_expected.to run.with_params("a\nb\r\tc").and_return('"a\\nb\\r\\tc"') }
  it { is_expected.to run.with_params('${a} $${b} %{c}').and_return('"\\u0024{a} \\u0024\\u0024{b} \\u0025{c}"') }
  it { is_expected.to run.with_params("a\0b").and_raise_error(%r{expects a match}) }
  it { is_expected.to run.with_params(1).and_raise_error(%r{expects a match}) }
end
